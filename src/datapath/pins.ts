/*
 * Where the datapath's kernel objects are pinned. What is pinned lives on without the agent.
 *
 *   maps/<map>       every map of the object
 *   progs/<program>  the programs that are attached
 *   links/<name>     from_underlay, from_host, from_vxlan, underlay_filter or underlay_deliver where it runs, and one for each host end, by its name
 *   maps/rodata      the options of the programs that run. Pinned last, removed first: when it is there, all the rest
 *                    is whole. (A pin's name cannot have the section's dot.)
 */
import { existsSync, mkdirSync, readdirSync, rmSync, unlinkSync } from 'node:fs';
import path from 'node:path';

export class Pins {
  /** `root` lies on a bpffs. */
  constructor(readonly root: string) {}

  makeDirectories(): void {
    for (const directory of ['maps', 'progs', 'links']) {
      mkdirSync(path.join(this.root, directory), { recursive: true, mode: 0o700 });
    }
  }

  map(name: string): string {
    return path.join(this.root, 'maps', name);
  }

  get rodata(): string {
    return this.map('rodata');
  }

  program(name: string): string {
    return path.join(this.root, 'progs', name);
  }

  link(name: string): string {
    return path.join(this.root, 'links', name);
  }

  /** Names of the pinned links. */
  links(): string[] {
    const directory = path.join(this.root, 'links');
    return existsSync(directory) ? readdirSync(directory) : [];
  }

  /** Removes every pin. Links whose last reference this was are detached by the kernel. */
  removeAll(): void {
    for (const directory of ['links', 'progs', 'maps']) {
      rmSync(path.join(this.root, directory), { recursive: true, force: true });
    }
  }
}

/** False when there was no such pin. */
export function unpin(file: string): boolean {
  try {
    unlinkSync(file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
