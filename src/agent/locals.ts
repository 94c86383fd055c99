/* The endpoints that are attached on this node, in order of attachment. */
import type { Endpoint } from '../model/records.js';
import type { Attachment } from '../model/rows.js';
import type { JournalEntry } from './journal.js';

export interface Local {
  readonly entry: JournalEntry;
  readonly endpoint: Endpoint;
  readonly attachment: Attachment;
}

export class Locals {
  readonly #byId = new Map<string, Local>();

  get size(): number {
    return this.#byId.size;
  }

  get(id: string): Local | undefined {
    return this.#byId.get(id);
  }

  has(id: string): boolean {
    return this.#byId.has(id);
  }

  values(): Local[] {
    return [...this.#byId.values()];
  }

  add(local: Local): void {
    this.#byId.set(local.entry.id, local);
  }

  delete(id: string): void {
    this.#byId.delete(id);
  }

  /** Ids of the networks that the namespace is attached to, in order of attachment. */
  networksIn(netnsInode: number): string[] {
    const networks = new Set<string>();
    for (const { entry } of this.#byId.values()) {
      if (entry.netnsInode === netnsInode) networks.add(entry.network);
    }
    return [...networks];
  }
}
