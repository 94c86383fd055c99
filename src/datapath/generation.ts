/*
 * The number that makes the programs forget. They remember rows of some maps (bpf/lib/recent.h) for as long as it stays;
 * whoever writes such a map raises it before he says that the row is written. While he writes it is odd, and they
 * remember nothing. An agent that was killed in between left programs that remember what the map has no more: so it is
 * raised at every start, too.
 */
import { type BpfMap, u32, u64 } from 'libbpf-ts-bindings';
import type { RowMap } from './table.js';

const ONLY = u32.encode(0);

export class Generation {
  readonly #map: Pick<BpfMap, 'lookup' | 'update'>;

  /** The map `generation`. */
  constructor(map: Pick<BpfMap, 'lookup' | 'update'>) {
    this.#map = map;
  }

  get number(): bigint {
    const value = this.#map.lookup(ONLY);
    return value ? u64.decode(value, 0) : 0n;
  }

  /** When it returns, no program uses a row that it looked up before, and rows are remembered. */
  raise(): void {
    this.#set((this.number | 1n) + 1n);
  }

  /** Rows are not remembered until `raise`. */
  #suspend(): void {
    this.#set(this.number | 1n);
  }

  #set(number: bigint): void {
    this.#map.update(ONLY, u64.encode(number));
  }

  /** The map, whose rows are forgotten by the programs as soon as they are written; also when that failed half way. */
  over(map: RowMap): RowMap {
    const forgetting =
      <A extends unknown[], R>(write: (...args: A) => R) =>
      (...args: A): R => {
        this.#suspend();
        try {
          return write(...args);
        } finally {
          this.raise();
        }
      };
    return {
      type: map.type,
      maxEntries: map.maxEntries,
      lookup: (key) => map.lookup(key),
      lookupAll: () => map.lookupAll(),
      updateBatch: forgetting(map.updateBatch.bind(map)),
      deleteBatch: forgetting(map.deleteBatch.bind(map)),
    };
  }
}
