/*
 * Takes everything of the agent off this host: by the agent that leaves the cluster, or by the command where no agent
 * runs. Every step is harmless where there is nothing, so that it can be repeated from the start.
 */
import { access, readdir, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { purge } from '../datapath/purge.js';
import type { Paths } from '../model/paths.js';
import { readJson } from '../state/files.js';
import { endpointsOf, nodeKey, nodeNameKey } from '../store/keys.js';
import { lockNetwork, lockRoot } from './lock.js';

const LOCK = 'agent.lock';
/** Who this node was is forgotten last: while anything is left, it can be told. */
const IDENTITY = 'node.json';

/** What etcd still holds of a node that is gone. */
export interface Stay {
  readonly id: string;
  readonly name: string | undefined;
  /** Ids of networks on which it had endpoints. */
  readonly networks: readonly string[];
  /** Why etcd was not told. */
  readonly cause: string;
}

/** The datapath and the state; the agent's locks and directories stay, for who holds them. */
export async function cleanHost({ bpf, state }: Paths): Promise<void> {
  await purge({ bpf, state });
  const files = await readdir(state).catch(() => []);
  for (const file of files.filter((name) => name !== LOCK && name !== IDENTITY)) {
    await rm(join(state, file), { recursive: true, force: true });
  }
  await rm(join(state, IDENTITY), { force: true });
}

/** Those of the agent, as far as nobody else put anything there. */
export async function removeDirectories({ socket, state }: Paths): Promise<void> {
  for (const directory of [dirname(socket), state]) await rmdir(directory).catch(() => undefined);
}

/**
 * Does the same without an agent; throws AgentRunning when there is one. Returns what stays in etcd, if anything can.
 * Devices and the firewall table are the network namespace's and do not tell whose they are. So a root that holds
 * nothing (mistyped, or a chroot's own /var/lib) takes nothing away: its state and pins go last, and without them
 * there is nothing of it.
 */
export async function cleanHostAlone(paths: Paths): Promise<Stay | undefined> {
  const exists = await isThere(paths.state);
  if (!exists && !(await isThere(paths.bpf))) return undefined;
  const unlockRoot = exists ? await lockRoot(join(paths.state, LOCK)) : undefined;
  try {
    const unlockNetwork = await lockNetwork();
    try {
      const stay = await readStay(paths);
      await cleanHost(paths);
      await rm(paths.socket, { force: true });
      return stay;
    } finally {
      await unlockNetwork();
    }
  } finally {
    await unlockRoot?.();
    await removeDirectories(paths);
  }
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function readStay({ state }: Paths): Promise<Stay | undefined> {
  const read = (file: string) => readJson(join(state, file)).catch(() => undefined);
  const identity = (await read(IDENTITY)) as { id?: string; name?: string } | undefined;
  if (identity?.id === undefined) return undefined;
  const journal = join(state, 'journal');
  const networks = new Set<string>();
  for (const file of await readdir(journal).catch(() => [])) {
    const entry = (await read(join('journal', file))) as { network?: string } | undefined;
    if (entry?.network !== undefined) networks.add(entry.network);
  }
  return { id: identity.id, name: identity.name, networks: [...networks], cause: 'no agent runs' };
}

/** A sentence for a person, and the commands that mend it. */
export function whatStays({ id, name, networks, cause }: Stay): string {
  const keys = [nodeKey(id), ...(name === undefined ? [] : [nodeNameKey(name)])];
  const commands = [
    ...keys.map((key) => `etcdctl del ${key}`),
    ...networks.map((network) => `etcdctl del --prefix ${endpointsOf(network)}${id}/`),
  ];
  return `node ${name ?? id} stays in the cluster's etcd (${cause}). It goes when a new agent has its address, or by
  ${commands.join('\n  ')}`;
}
