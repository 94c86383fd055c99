/*
 * The datapath of a simulated agent: the real tables over maps that are memory of this process, and nothing behind
 * them. What a kernel adds is known and left out: some microseconds per row, and for a network's first or last
 * endpoint an RCU grace period.
 */
import type { SinkTarget } from '../../agent/datapath-sink.js';
import { applyChanges, type Tables, tablesOver } from '../../datapath/maps.js';
import type { RowMap } from '../../datapath/table.js';
import { fdbKeyCodec } from '../../datapath/types.gen.js';
import type { DifferenceAnswer } from '../../model/api.js';
import type { FloodMember, RowChanges } from '../../model/rows.js';

const MAX_ENTRIES = 65_536;

/** A map of the kernel as far as tables use one. */
class MemoryMap implements RowMap {
  readonly maxEntries = MAX_ENTRIES;
  readonly #rows = new Map<string, string>();

  constructor(
    readonly type: RowMap['type'],
    readonly onWrite: (keys: Uint8Array) => void = () => undefined,
  ) {}

  lookup(key: Uint8Array): Buffer | undefined {
    const value = this.#rows.get(latin1(key));
    return value === undefined ? undefined : Buffer.from(value, 'latin1');
  }

  lookupAll(): { keys: Buffer; values: Buffer; count: number } {
    return {
      keys: Buffer.from([...this.#rows.keys()].join(''), 'latin1'),
      values: Buffer.from([...this.#rows.values()].join(''), 'latin1'),
      count: this.#rows.size,
    };
  }

  updateBatch(keys: Uint8Array, values: Uint8Array, count: number): number {
    const valuesOf = split(values, count);
    split(keys, count).forEach((key, at) => void this.#rows.set(key, valuesOf[at] ?? ''));
    this.onWrite(keys);
    return count;
  }

  deleteBatch(keys: Uint8Array, count: number): number {
    return split(keys, count).filter((key) => this.#rows.delete(key)).length;
  }
}

function split(bytes: Uint8Array, count: number): string[] {
  const size = bytes.length / count;
  return Array.from({ length: count }, (_, at) => latin1(bytes.subarray(at * size, (at + 1) * size)));
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

export interface StandInOptions {
  /** A row of `fdb` for this MAC has just become visible to packets. */
  readonly onReachable: (mac: Uint8Array) => void;
  /** Maps to be used instead of memory. */
  readonly maps?: Partial<Record<keyof Tables, RowMap>>;
}

export class StandIn implements SinkTarget {
  readonly tables: Tables;
  readonly flood = new FloodStandIn();
  readonly vteps = new VtepsStandIn();
  readonly gateway = { apply: async () => false };

  constructor({ onReachable, maps = {} }: StandInOptions) {
    const noteKeys = (keys: Uint8Array): void => {
      for (let at = 0; at < keys.length; at += fdbKeyCodec.size) {
        onReachable(fdbKeyCodec.decode(keys, at).mac);
      }
    };
    this.tables = tablesOver((name) => {
      const type = name === 'subnets' ? 'lpm_trie' : 'hash';
      return maps[name] ?? new MemoryMap(type, name === 'fdb' ? noteKeys : undefined);
    });
  }

  apply(changes: RowChanges): void {
    applyChanges(this.tables, this.flood, changes);
  }

  async mend(): Promise<number> {
    return 0;
  }
}

type Lists = Iterable<readonly [number, readonly FloodMember[]]>;

class FloodStandIn {
  #lists = new Map<number, string>();

  apply(upserts: Lists, deletes: Iterable<number> = []): { written: number; deleted: number } {
    const [upserted, deleted] = [[...upserts], [...deletes]];
    for (const vni of deleted) this.#lists.delete(vni);
    for (const [vni, members] of upserted) this.#lists.set(vni, JSON.stringify(members));
    return { written: upserted.length, deleted: deleted.length };
  }

  replace(lists: Lists): { written: number; deleted: number } {
    this.#lists.clear();
    return this.apply(lists);
  }

  verify(lists: Lists): DifferenceAnswer[] {
    const wanted = new Map(Array.from(lists, ([vni, members]) => [vni, JSON.stringify(members)]));
    const found: DifferenceAnswer[] = [];
    for (const vni of new Set([...wanted.keys(), ...this.#lists.keys()])) {
      const [expected = null, actual = null] = [wanted.get(vni), this.#lists.get(vni)];
      if (expected === actual) continue;
      const problem = expected === null ? 'extra' : actual === null ? 'missing' : 'different';
      found.push({ table: 'flood', key: `vni ${vni}`, problem, expected, actual });
    }
    return found;
  }
}

class VtepsStandIn {
  readonly #indexes = new Map<string, number>();
  #last = 0;

  index(address: string): number {
    const known = this.#indexes.get(address);
    if (known !== undefined) return known;
    this.#last += 1;
    this.#indexes.set(address, this.#last);
    return this.#last;
  }

  async routeNew(): Promise<void> {}

  addresses(): string[] {
    return [...this.#indexes.keys()];
  }

  release(address: string): void {
    this.#indexes.delete(address);
  }
}
