/*
 * Sampled drops for any number of readers: the ring has one reader, which runs while somebody listens. What the ring
 * kept from before, perhaps for hours, is nobody's: who follows wants to see what happens now.
 */
import type { Datapath } from '../datapath/datapath.js';
import type { DropAnswer } from '../model/api.js';

export class DropFeed {
  readonly #datapath: Datapath;
  readonly #listeners = new Set<(drop: DropAnswer) => void>();
  #reader: { close(): void } | undefined;

  constructor(datapath: Datapath) {
    this.#datapath = datapath;
  }

  /** Returns what ends it. */
  follow(onDrop: (drop: DropAnswer) => void): () => void {
    const since = Date.now();
    const listener = (drop: DropAnswer): void => {
      if (Date.parse(drop.time) >= since) onDrop(drop);
    };
    this.#listeners.add(listener);
    this.#reader ??= this.#datapath.followDrops((drop) => {
      for (const each of this.#listeners) each(drop);
    });
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.close();
    };
  }

  close(): void {
    this.#reader?.close();
    this.#reader = undefined;
  }
}
