/*
 * A hash or LPM map as a table that knows what is in it. The mirror is read when the table is opened and written with
 * the map; since this process is the only writer, comparing with the mirror is comparing with the map, and a change
 * costs only its own rows.
 *
 * The mirror holds encoded rows as one-byte strings: they compare by value, and cost about 100 bytes a row where
 * decoded objects would cost five times that.
 */
import { BpfError, type BpfMap, type Codec } from 'libbpf-ts-bindings';
import type { DifferenceAnswer } from '../model/api.js';
import { PlaitError } from '../model/errors.js';
import { Packed } from './packed.js';

/** How rows are shown to people. */
export interface RowText<K, V> {
  key(key: K): string;
  value(value: V): string;
}

export interface Applied {
  readonly written: number;
  readonly deleted: number;
}

export class Table<K, V> {
  readonly name: string;
  readonly #map: BpfMap;
  readonly #keys: Packed<K>;
  readonly #values: Packed<V>;
  readonly #text: RowText<K, V>;
  #mirror: Map<string, string>;

  constructor(name: string, map: BpfMap, key: Codec<K>, value: Codec<V>, text: RowText<K, V>) {
    this.name = name;
    this.#map = map;
    this.#keys = new Packed(key);
    this.#values = new Packed(value);
    this.#text = text;
    this.#mirror = this.#read();
  }

  /** Most rows that it can have. */
  get capacity(): number {
    return this.#map.maxEntries;
  }

  get size(): number {
    return this.#mirror.size;
  }

  get(key: K): V | undefined {
    const value = this.#mirror.get(this.#keys.pack(key));
    return value === undefined ? undefined : this.#values.unpack(value);
  }

  has(key: K): boolean {
    return this.#mirror.has(this.#keys.pack(key));
  }

  *entries(): IterableIterator<[K, V]> {
    for (const [key, value] of this.#mirror) yield [this.#keys.unpack(key), this.#values.unpack(value)];
  }

  /**
   * Writes the upserts that differ and removes the deletes that exist; a key in both is written. Synchronous. When
   * the map is full (MAP_FULL) some rows may be written; the mirror knows which.
   */
  apply(upserts: Iterable<readonly [K, V]>, deletes: Iterable<K> = []): Applied {
    const changed = new Map<string, string>();
    for (const [key, value] of upserts) {
      const packed = this.#keys.pack(key);
      const wanted = this.#values.pack(value);
      if (this.#mirror.get(packed) === wanted) changed.delete(packed);
      else changed.set(packed, wanted);
    }
    const gone = new Set<string>();
    for (const key of deletes) {
      const packed = this.#keys.pack(key);
      if (this.#mirror.has(packed) && !changed.has(packed)) gone.add(packed);
    }
    return this.#write(changed, gone);
  }

  /** Makes the table exactly this, whatever anybody else did to the map. */
  replace(desired: Iterable<readonly [K, V]>): Applied {
    this.#mirror = this.#read();
    const wanted = this.#pack(desired);
    const changed = new Map([...wanted].filter(([key, value]) => this.#mirror.get(key) !== value));
    const gone = new Set([...this.#mirror.keys()].filter((key) => !wanted.has(key)));
    return this.#write(changed, gone);
  }

  /** Differences to what the table believes to have. */
  diff(desired: Iterable<readonly [K, V]>): DifferenceAnswer[] {
    return this.#compare(this.#pack(desired), this.#mirror);
  }

  /** Differences to what the kernel has. The mirror is corrected on the way, so that `replace` can mend them. */
  verify(desired: Iterable<readonly [K, V]>): DifferenceAnswer[] {
    this.#mirror = this.#read();
    return this.diff(desired);
  }

  #pack(rows: Iterable<readonly [K, V]>): Map<string, string> {
    const packed = new Map<string, string>();
    for (const [key, value] of rows) packed.set(this.#keys.pack(key), this.#values.pack(value));
    return packed;
  }

  #read(): Map<string, string> {
    const { keys, values, count } = this.#map.lookupAll();
    const rows = new Map<string, string>();
    for (let row = 0; row < count; row++) rows.set(this.#keys.at(keys, row), this.#values.at(values, row));
    return rows;
  }

  /** Deletes first: they make room. */
  #write(changed: ReadonlyMap<string, string>, gone: ReadonlySet<string>): Applied {
    try {
      if (gone.size > 0) this.#map.deleteBatch(Buffer.from([...gone].join(''), 'latin1'), gone.size);
      if (changed.size > 0) this.#update(changed);
    } catch (error) {
      this.#mirror = this.#read();
      throw explainFull(this.name, this.capacity, error);
    }
    for (const key of gone) this.#mirror.delete(key);
    for (const [key, value] of changed) this.#mirror.set(key, value);
    return { written: changed.size, deleted: gone.size };
  }

  #update(changed: ReadonlyMap<string, string>): void {
    const keys = Buffer.from([...changed.keys()].join(''), 'latin1');
    const values = Buffer.from([...changed.values()].join(''), 'latin1');
    this.#map.updateBatch(keys, values, changed.size);
  }

  #compare(desired: ReadonlyMap<string, string>, actual: ReadonlyMap<string, string>): DifferenceAnswer[] {
    const found: DifferenceAnswer[] = [];
    for (const [key, value] of desired) {
      const has = actual.get(key);
      if (has === undefined) found.push(this.#difference('missing', key, value, undefined));
      else if (has !== value) found.push(this.#difference('different', key, value, has));
    }
    for (const [key, value] of actual) {
      if (!desired.has(key)) found.push(this.#difference('extra', key, undefined, value));
    }
    return found;
  }

  #difference(
    problem: DifferenceAnswer['problem'],
    key: string,
    expected: string | undefined,
    actual: string | undefined,
  ): DifferenceAnswer {
    const show = (value: string | undefined): string | null =>
      value === undefined ? null : this.#text.value(this.#values.unpack(value));
    const row = this.#text.key(this.#keys.unpack(key));
    return { table: this.name, key: row, problem, expected: show(expected), actual: show(actual) };
  }
}

/** MAP_FULL where that is what the kernel says. */
export function explainFull(map: string, capacity: number, error: unknown): unknown {
  if (!(error instanceof BpfError) || (error.code !== 'E2BIG' && error.code !== 'ENOSPC')) return error;
  return new PlaitError('MAP_FULL', `write map ${map}: all ${capacity} rows are in use`, {
    hint: 'the size of the map bounds what one node can hold',
    cause: error,
  });
}
