/*
 * Namespaces by path: which one a path names now, and whether anybody still uses it. Sockets that the agent holds
 * in a namespace (its DNS server) keep it alive with nobody inside, so the path and the processes are asked and not
 * the interfaces.
 */
import { readdir, readlink, stat } from 'node:fs/promises';
import { PlaitError } from '../model/errors.js';

export class NamespaceNotFound extends PlaitError {
  constructor(path: string, cause: string) {
    super('NAMESPACE_NOT_FOUND', `open network namespace ${path}: ${cause}`);
  }
}

/** nsfs numbers its inodes; the number is unique among living namespaces only. */
export type NamespaceInode = number;

/** Accepts what the API does: an absolute path or pid:N. */
export function namespacePath(reference: string): string {
  return reference.startsWith('pid:') ? `/proc/${reference.slice(4)}/ns/net` : reference;
}

export async function namespaceInode(path: string): Promise<NamespaceInode | undefined> {
  const found = await stat(path).catch(() => undefined);
  return found?.ino;
}

/**
 * Checks that the path is a network namespace other than the agent's own. A file at the path is not enough:
 * `ip netns add` leaves an empty one behind when its mount is lost.
 */
export async function openableNamespace(path: string): Promise<NamespaceInode> {
  const [found, own] = await Promise.all([
    stat(path).catch((error: NodeJS.ErrnoException) => error),
    stat('/proc/self/ns/net'),
  ]);
  if (found instanceof Error) {
    throw new NamespaceNotFound(path, found.code === 'ENOENT' ? 'no such namespace' : found.message);
  }
  if (found.dev !== own.dev) throw new NamespaceNotFound(path, 'not a network namespace');
  if (found.ino === own.ino) throw new NamespaceNotFound(path, "it is the host's own network namespace");
  return found.ino;
}

/** Whether a process lives in the namespace. Costs one readlink per process of the machine: ask seldom. */
export async function namespaceHasProcess(inode: NamespaceInode): Promise<boolean> {
  const wanted = `net:[${inode}]`;
  for (const entry of await readdir('/proc')) {
    if (entry < '0' || entry > ':') continue;
    const target = await readlink(`/proc/${entry}/ns/net`).catch(() => undefined);
    if (target === wanted) return true;
  }
  return false;
}
