/*
 * A cluster in a file: what etcd holds, as etcd's own snapshot, behind a line that says whose it is and what it must be. It
 * has the key of the CA in it, and so is as secret as that: mode 0600.
 *
 *     PLAIT-BACKUP 1 {"cluster": id, "createdAt": …, "size": bytes, "sha256": hex, "authority": {…}, "record": {…}}\n
 *     the snapshot
 */
import { createHash } from 'node:crypto';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { PlaitError } from '../model/errors.js';
import type { Paths } from '../model/paths.js';
import { run } from '../net/run.js';
import { makePrivateDirectory, writeFileAtomically } from '../state/files.js';
import { loadIdentity } from '../state/identity.js';
import { getAuthority, getCluster } from '../store/cluster.js';
import { Store } from '../store/store.js';
import { credentialPaths, readCredentials, storeTls } from './credentials.js';
import { CLIENT_URL, dataDirectory, peerUrl } from './etcd/arguments.js';
import { readExternalEtcd } from './etcd/external.js';
import { becomeMember, forgetEtcd, refuseMember } from './found.js';
import { managerAt, readMembership } from './membership-file.js';
import { issue } from './pki/authority.js';
import { trustedBy } from './pki/bundle.js';
import { caRecordSchema, ID_PATTERN } from './pki/records.js';
import { createKeyAndRequest } from './pki/request.js';
import { checkManagerPorts } from './ports.js';
import { clusterSchema } from './records.js';

const MAGIC = 'PLAIT-BACKUP';
const VERSION = '1';
const HEADER_LIMIT = 64 * 1024;
const SNAPSHOT_MS = 120_000;

const headerSchema = z.looseObject({
  cluster: z.string().regex(ID_PATTERN),
  createdAt: z.iso.datetime(),
  size: z.int().min(1),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  authority: caRecordSchema,
  record: clusterSchema,
});
type Header = z.infer<typeof headerSchema>;

export interface BackupSummary {
  readonly cluster: string;
  readonly createdAt: string;
  /** Bytes of the snapshot. */
  readonly size: number;
}

export class BadBackup extends PlaitError {
  constructor(file: string, reason: string) {
    super('BAD_BACKUP', `read backup ${file}: ${reason}`, { hint: 'nothing was changed; take another one' });
  }
}

/** On a manager, from its own etcd. */
export async function backUp({ state }: Paths, file: string): Promise<BackupSummary> {
  const membership = await readMembership(state);
  const credentials = await readCredentials(state);
  if (membership?.role !== 'manager' || credentials === undefined) {
    throw new PlaitError('NOT_MANAGER', 'back up cluster: this host is no manager', {
      hint: 'run it on one of those that `plait node ls` names',
    });
  }
  if ((await readExternalEtcd(state)) !== undefined) {
    throw new PlaitError('EXTERNAL_ETCD', 'back up cluster: its etcd is not run by managers', {
      hint: 'back that up where it runs: `etcdctl snapshot save`; what is of this cluster lies below /plait/',
    });
  }
  const store = new Store({ endpoints: [CLIENT_URL], tls: storeTls(credentials) });
  const directory = await mkdtemp(join(state, 'backup-'));
  try {
    const [authority, record] = await Promise.all([getAuthority(store), getCluster(store)]);
    const snapshot = join(directory, 'snapshot.db');
    await etcdctl(['snapshot', 'save', snapshot], 'back up cluster', state);
    const bytes = await readFile(snapshot);
    const createdAt = new Date().toISOString();
    const header = {
      cluster: membership.cluster,
      createdAt,
      size: bytes.length,
      sha256: digest(bytes),
      authority,
      record,
    };
    const line = `${MAGIC} ${VERSION} ${JSON.stringify(header)}\n`;
    await writeFileAtomically(file, Buffer.concat([Buffer.from(line), bytes]), { durable: true });
    return { cluster: membership.cluster, createdAt, size: bytes.length };
  } finally {
    store.close();
    await rm(directory, { recursive: true, force: true });
  }
}

export interface Restoring {
  readonly name: string;
  readonly advertiseAddress: string;
  readonly listenAddress: string;
  readonly dataPathAddress: string;
}

/**
 * Makes this host the first manager of the cluster in the file; others join it anew. The file is judged before anything is
 * changed. Returns the node's id.
 */
export async function restore({ state }: Paths, file: string, restoring: Restoring): Promise<string> {
  await refuseMember('restore cluster', state);
  const { header, snapshot } = await readBackup(file);
  await checkManagerPorts(restoring.listenAddress);
  const directory = await mkdtemp(join(tmpdir(), 'plait-restore-'));
  try {
    const path = join(directory, 'snapshot.db');
    await writeFileAtomically(path, snapshot, {});
    await etcdctl(['snapshot', 'status', path], `read backup ${file}`).catch((error) => {
      throw new BadBackup(file, error instanceof Error ? error.message : String(error));
    });
    return await settle(state, header, path, restoring);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function settle(
  state: string,
  header: Header,
  snapshot: string,
  restoring: Restoring,
): Promise<string> {
  const { authority, record, cluster } = header;
  const { name, advertiseAddress, listenAddress, dataPathAddress } = restoring;
  await makePrivateDirectory(state);
  const { id: node } = await loadIdentity(state, name);
  const { key, csr } = await createKeyAndRequest();
  const certificate = await issue(authority, csr, {
    ...{ node, role: 'manager', cluster, expirySeconds: record.certExpirySeconds },
    addresses: [advertiseAddress],
  });
  const initialCluster = `${node}=${peerUrl(advertiseAddress)}`;
  const data = dataDirectory(state);
  await forgetEtcd(state);
  const place = ['--name', node, '--data-dir', data, '--initial-cluster', initialCluster];
  const token = [
    '--initial-cluster-token',
    cluster,
    '--initial-advertise-peer-urls',
    peerUrl(advertiseAddress),
  ];
  await etcdctl(['snapshot', 'restore', snapshot, ...place, ...token], 'restore cluster');
  await becomeMember(
    state,
    { ca: trustedBy(authority), certificate, key },
    {
      ...{ version: 1, cluster, role: 'manager', name, advertiseAddress, listenAddress, dataPathAddress },
      dataPathPort: record.dataPathPort,
      managers: [managerAt(node, advertiseAddress)],
      firstStart: { kind: 'restored', initialCluster },
    },
  );
  return node;
}

/** Throws BadBackup. */
async function readBackup(file: string): Promise<{ header: Header; snapshot: Buffer }> {
  const handle = await open(file, 'r').catch((error: NodeJS.ErrnoException) => {
    throw new BadBackup(file, error.code === 'ENOENT' ? 'there is no such file' : error.message);
  });
  const bytes = await handle.readFile().finally(() => handle.close());
  const end = bytes.subarray(0, HEADER_LIMIT).indexOf('\n');
  const [, version, json] =
    /^PLAIT-BACKUP (\d+) (\{.*\})$/.exec(bytes.subarray(0, Math.max(0, end)).toString()) ?? [];
  if (json === undefined) throw new BadBackup(file, 'it is not one of `plait backup`');
  if (version !== VERSION)
    throw new BadBackup(file, `it is of version ${version}, and this Plait knows ${VERSION}`);
  const parsed = headerSchema.safeParse(parseJson(json));
  if (!parsed.success) throw new BadBackup(file, 'its first line is damaged');
  const snapshot = bytes.subarray(end + 1);
  const { size, sha256 } = parsed.data;
  if (snapshot.length !== size)
    throw new BadBackup(file, `it is cut off: ${snapshot.length} of ${size} bytes`);
  if (digest(snapshot) !== sha256) throw new BadBackup(file, 'it is damaged: its SHA-256 is another one');
  return { header: parsed.data, snapshot };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** @param state where this host's certificate is, for what asks etcd */
async function etcdctl(words: readonly string[], doing: string, state?: string): Promise<string> {
  const tls = state === undefined ? undefined : credentialPaths(state);
  const asked = tls
    ? ['--endpoints', CLIENT_URL, '--cacert', tls.ca, '--cert', tls.certificate, '--key', tls.key]
    : [];
  return run('env', ['ETCDCTL_API=3', 'etcdctl', ...asked, ...words], { doing, timeout: SNAPSHOT_MS });
}
