import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { foundCluster, refuseMember } from '../../cluster/found.js';
import type { ExternalEtcd } from '../../cluster/records.js';
import { goOnAlone } from '../../cluster/revive.js';
import { stopAgentOf } from '../../install/start-agent.js';
import type { JoinTokenAnswer } from '../../model/api-trust.js';
import { PlaitError } from '../../model/errors.js';
import { pathsFor } from '../../model/paths.js';
import { UsageError } from '../../output/errors.js';
import { print } from '../../output/print.js';
import { patience } from '../../patience.js';
import type { InitFlags } from '../init.js';
import { clientOf, rootOf } from './common.js';
import { addressesOf, refuseRunningAgent, startAgent } from './enter.js';
import { joinLines } from './join-token.js';
import { checkSubnets } from './values.js';

/** For etcd to begin and to hold the cluster. */
const READY_MS = patience(30_000);
const POLL_MS = 100;

export async function init(flags: InitFlags, command: Command): Promise<void> {
  if (flags.forceNewCluster) return goOn(flags, command);
  const root = rootOf(command);
  const addresses = await addressesOf(flags);
  await refuseMember('make cluster', pathsFor(root).state);
  await refuseRunningAgent('make cluster', root);
  checkSubnets('--default-addr-pool', flags.defaultAddrPool);
  const externalEtcd = await externalEtcdOf(flags);
  const node = await foundCluster(pathsFor(root), {
    name: flags.name,
    ...addresses,
    dataPathPort: flags.dataPathPort,
    certExpirySeconds: flags.certExpiry,
    defaultAddressPools: flags.defaultAddrPool ?? [],
    defaultAddressPoolMaskLength: flags.defaultAddrPoolMaskLength,
    externalEtcd,
  });
  if (!flags.agent) {
    print(`This host is a manager of a new cluster as node ${node}, as soon as \`plait agent\` runs.`);
    return;
  }
  await startAgent(root);
  const token = await tokenSoon(command);
  print(`This host is a manager of a new cluster as node ${node}.\n`);
  print(joinLines('worker', token));
}

async function externalEtcdOf({
  externalEtcd: endpoints,
  etcdCa,
  etcdCert,
  etcdKey,
}: InitFlags): Promise<ExternalEtcd | undefined> {
  const files = { '--etcd-ca': etcdCa, '--etcd-cert': etcdCert, '--etcd-key': etcdKey };
  const [given] = Object.entries(files).filter(([, file]) => file !== undefined);
  if (endpoints === undefined) {
    if (given) throw new UsageError(`option ${given[0]}: there is no --external-etcd that it is for`);
    return undefined;
  }
  if (etcdCa === undefined) {
    if (given) throw new UsageError(`option ${given[0]}: --etcd-ca is missing`);
    return { endpoints: [...endpoints] };
  }
  const [ca, certificate, key] = await Promise.all(
    Object.entries(files).map(async ([option, file]) => file && readText(option, file)),
  );
  return {
    endpoints: [...endpoints],
    tls: { ca: ca ?? '', ...(certificate && { certificate }), ...(key && { key }) },
  };
}

async function readText(option: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new UsageError(`read ${file} (${option}): ${(error as NodeJS.ErrnoException).code ?? error}`);
  }
}

/** Traffic goes on while the agent is away for a moment. */
async function goOn({ agent }: InitFlags, command: Command): Promise<void> {
  const root = rootOf(command);
  const paths = pathsFor(root);
  if (agent) await stopAgentOf(root);
  const cluster = await goOnAlone(paths);
  if (agent) await startAgent(root);
  print(
    `This host is the only manager of cluster ${cluster} now${agent ? '' : ', as soon as `plait agent` runs'}.`,
  );
  print(
    'The other managers are not: `plait node rm` those that are lost; on the others `plait leave --force`, then join.',
  );
}

/** The agent answers before its etcd does. */
async function tokenSoon(command: Command): Promise<JoinTokenAnswer> {
  const client = clientOf(command);
  for (const end = Date.now() + READY_MS; ; await sleep(POLL_MS)) {
    try {
      return await client.get<JoinTokenAnswer>('/v1/join-tokens/worker');
    } catch (error) {
      if (Date.now() < end) continue;
      const message = error instanceof Error ? error.message : String(error);
      throw new PlaitError('NOT_READY', `make cluster: its etcd is not ready: ${message}`, {
        hint: 'look at the log of the agent; `plait join-token worker` prints the join line later',
      });
    }
  }
}
