/* Network namespaces of containers: which one an argument means, and whether anybody still lives there. */
import { readdir, readFile, readlink, stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import { PlaitError } from '../model/errors.js';

export interface Namespace {
  readonly path: string;
  /** Unique among the namespaces that exist now. */
  readonly inode: number;
}

const NSFS_MAGIC = 0x6e736673;
const NAMED = '/run/netns';

/**
 * Finds the namespace that an absolute path, `pid:N` or a bare name (of /run/netns) means. Errors:
 * NAMESPACE_NOT_FOUND, NOT_A_NAMESPACE (a file that is something else, for instance what `ip netns` leaves behind
 * when its mount is lost), OWN_NAMESPACE (the agent's).
 */
export async function resolveNamespace(reference: string): Promise<Namespace> {
  const file = pathOf(reference);
  const [found, own] = await Promise.all([
    stat(file).catch((error: NodeJS.ErrnoException) => error),
    stat('/proc/self/ns/net'),
  ]);
  if (found instanceof Error) {
    const cause = found.code === 'ENOENT' ? 'no such namespace' : found.message;
    throw new PlaitError('NAMESPACE_NOT_FOUND', `open network namespace ${reference}: ${cause}`);
  }
  if (found.dev === own.dev && found.ino === own.ino) {
    throw new PlaitError('OWN_NAMESPACE', `open network namespace ${reference}: it is the host's own`);
  }
  if (!(await isNetworkNamespace(file, found.ino))) {
    throw new PlaitError('NOT_A_NAMESPACE', `open network namespace ${reference}: not a network namespace`);
  }
  return { path: file, inode: found.ino };
}

/**
 * The id of a process that lives in the namespace. It may live on without its path, for as long as a process is
 * there. Costs one readlink per process of the machine: ask seldom.
 */
export async function processIn(inode: number): Promise<number | undefined> {
  const wanted = netLink(inode);
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const link = await readlink(`/proc/${entry}/ns/net`).catch(() => undefined);
    if (link === wanted) return Number(entry);
  }
  return undefined;
}

function pathOf(reference: string): string {
  const pid = /^pid:([1-9]\d*)$/.exec(reference)?.[1];
  if (pid) return `/proc/${pid}/ns/net`;
  return path.resolve(NAMED, reference);
}

/**
 * Every kind of namespace is a file on nsfs. Which kind, a link in /proc says; for a mounted one the mount table does,
 * which lists it with "net:[inode]" as its root.
 */
async function isNetworkNamespace(file: string, inode: number): Promise<boolean> {
  if ((await statfs(file)).type !== NSFS_MAGIC) return false;
  const link = await readlink(file).catch(() => undefined);
  if (link === netLink(inode)) return true;
  const mounts = await readFile('/proc/self/mountinfo', 'utf8');
  return mounts.includes(` ${netLink(inode)} `);
}

function netLink(inode: number): string {
  return `net:[${inode}]`;
}
