/*
 * Notices namespaces that went away under attached endpoints. The kernel has no event for "nobody uses this any
 * more": paths are looked at once a second, and at once after a device disappeared (the kick), because a namespace
 * that dies takes its veths along. A path that is gone is not the end while a process still lives in there
 * (`ip netns delete` of a namespace in use): the processes are looked through then.
 */
import { stat } from 'node:fs/promises';
import type { Logger } from 'pino';
import { processIn } from '../net/namespaces.js';

export interface Watched {
  readonly id: string;
  readonly netns: string;
  /** 0: not known, and it is gone when its host end is, wherever the other one was. */
  readonly netnsInode: number;
}

export interface NamespaceWatchOptions {
  readonly watched: () => readonly Watched[];
  /** Whether the host end still exists. */
  readonly hasLink: (id: string) => boolean;
  readonly onGone: (id: string, reason: string) => Promise<void>;
  readonly log: Logger;
  readonly intervalMs?: number;
}

export class NamespaceWatch {
  readonly #options: NamespaceWatchOptions;
  readonly #timer: NodeJS.Timeout;
  #running = false;
  #leaving: Promise<void>[] = [];

  constructor(options: NamespaceWatchOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.check(), options.intervalMs ?? 1000);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async check(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    try {
      for (const [inode, group] of this.#byNamespace()) await this.#checkGroup(inode, group);
      await Promise.all(this.#leaving);
    } catch (error) {
      this.#options.log.warn({ err: error }, 'could not look at the namespaces');
    } finally {
      this.#leaving = [];
      this.#running = false;
    }
  }

  /** One that cannot be detached, or etcd that takes its time over it, holds up no other. */
  #leave({ id }: Watched, reason: string): void {
    const { onGone, log } = this.#options;
    const leaving = onGone(id, reason).catch((error) =>
      log.warn({ endpoint: id, err: error }, 'could not detach an endpoint by itself'),
    );
    this.#leaving.push(leaving);
  }

  #byNamespace(): Map<number, Watched[]> {
    const groups = new Map<number, Watched[]>();
    for (const one of this.#options.watched()) {
      const group = groups.get(one.netnsInode);
      if (group) group.push(one);
      else groups.set(one.netnsInode, [one]);
    }
    return groups;
  }

  async #checkGroup(inode: number, group: readonly Watched[]): Promise<void> {
    const { hasLink } = this.#options;
    const here = group.filter((one) => hasLink(one.id));
    for (const one of group) {
      if (!here.includes(one)) this.#leave(one, 'its interface was removed');
    }
    if (inode === 0 || here.length === 0 || (await somePathNames(inode, here))) return;
    if ((await processIn(inode)) !== undefined) return;
    for (const one of here) this.#leave(one, 'its namespace is gone');
  }
}

/** Endpoints of one namespace may have been attached by different paths. */
async function somePathNames(inode: number, group: readonly Watched[]): Promise<boolean> {
  for (const path of new Set(group.map((one) => one.netns))) {
    const found = await stat(path).catch(() => undefined);
    if (found?.ino === inode) return true;
  }
  return false;
}
