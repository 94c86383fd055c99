/*
 * From `plait init` to a cluster in etcd. `init` makes the authority, the tokens and this node's certificate, and writes
 * down what etcd will hold (`first-records.json`, mode 0600), since etcd does not run yet: the agent runs it. The agent
 * brings the records to etcd, whatever happens in between, and removes the file when they are there.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { z } from 'zod';
import { PlaitError } from '../model/errors.js';
import { readJson, writeFileAtomically } from '../state/files.js';
import { createCluster, type FirstRecords, getCluster } from '../store/cluster.js';
import type { Store } from '../store/store.js';
import { caRecordSchema, ID_PATTERN, tokenRecordSchema } from './pki/records.js';
import { clusterSchema, externalEtcdSchema, specSchema } from './records.js';

const FILE = 'first-records.json';

const schema = z.object({
  cluster: clusterSchema,
  authority: caRecordSchema,
  tokens: z.object({ worker: tokenRecordSchema, manager: tokenRecordSchema }),
  node: z.string().regex(ID_PATTERN),
  spec: specSchema,
  externalEtcd: externalEtcdSchema.optional(),
});

export async function keepFirstRecords(state: string, first: FirstRecords): Promise<void> {
  await writeFileAtomically(join(state, FILE), `${JSON.stringify(first)}\n`, { durable: true });
}

/** Undefined when they are in etcd already, or this node did not make the cluster. */
export async function readFirstRecords(state: string): Promise<FirstRecords | undefined> {
  const kept = await readJson(join(state, FILE)).catch(() => null);
  if (kept === undefined) return undefined;
  const parsed = schema.safeParse(kept);
  if (parsed.success) return parsed.data;
  throw new PlaitError('BAD_FIRST_RECORDS', `read ${join(state, FILE)}: not what \`plait init\` wrote`, {
    hint: '`plait leave --force`, then `plait init` again',
  });
}

/** Throws when etcd holds another cluster. Can be repeated. */
export async function bringFirstRecords(
  store: Store,
  state: string,
  first: FirstRecords,
  log: Logger,
): Promise<void> {
  if (!(await createCluster(store, first))) {
    const there = await getCluster(store);
    if (there?.id !== first.cluster.id) {
      throw new PlaitError('OTHER_CLUSTER', `make cluster: etcd at ${store.where} holds one already`, {
        hint: '`plait leave --force`, then `plait init` again',
      });
    }
  }
  await rm(join(state, FILE), { force: true });
  log.info({ cluster: first.cluster.id }, 'the cluster is made');
}
