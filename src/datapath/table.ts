/*
 * A hash or LPM map as a table of typed rows. It keeps no copy of them, only their number: with ten thousand endpoints
 * a copy was 300 bytes per endpoint in every agent, and a lookup takes a microsecond. So what differs is asked of the
 * kernel, for the rows of a change one by one, for many all at once. While a call works, rows are encoded and in one-byte strings:
 * these compare by value.
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

/** What a table needs of a map. */
export type RowMap = Pick<
  BpfMap,
  'type' | 'maxEntries' | 'lookup' | 'lookupAll' | 'updateBatch' | 'deleteBatch'
>;

/** Encoded rows. */
type Rows = ReadonlyMap<string, string>;

export class Table<K, V> {
  readonly name: string;
  readonly #map: RowMap;
  readonly #keys: Packed<K>;
  readonly #values: Packed<V>;
  readonly #text: RowText<K, V>;
  #size: number;

  constructor(name: string, map: RowMap, key: Codec<K>, value: Codec<V>, text: RowText<K, V>) {
    this.name = name;
    this.#map = map;
    this.#keys = new Packed(key);
    this.#values = new Packed(value);
    this.#text = text;
    this.#size = map.lookupAll().count;
  }

  /** Most rows that it can have. */
  get capacity(): number {
    return this.#map.maxEntries;
  }

  /** As of the last call that read or wrote the map: others may have changed it since. */
  get size(): number {
    return this.#size;
  }

  get(key: K): V | undefined {
    const packed = this.#keys.pack(key);
    const value = this.#lookup([packed]).get(packed);
    return value === undefined ? undefined : this.#values.unpack(value);
  }

  has(key: K): boolean {
    return this.get(key) !== undefined;
  }

  *entries(): IterableIterator<[K, V]> {
    for (const [key, value] of this.#read()) yield [this.#keys.unpack(key), this.#values.unpack(value)];
  }

  /**
   * Writes the upserts that differ and removes the deletes that exist; a key in both is written. Synchronous. When
   * the map is full (MAP_FULL) some rows may be written.
   */
  apply(upserts: Iterable<readonly [K, V]>, deletes: Iterable<K> = []): Applied {
    const wanted = this.#pack(upserts);
    const unwanted = new Set<string>();
    for (const key of deletes) {
      const packed = this.#keys.pack(key);
      if (!wanted.has(packed)) unwanted.add(packed);
    }
    return this.#change(this.#lookup([...wanted.keys(), ...unwanted]), wanted, unwanted);
  }

  /** Makes the table exactly this, whatever anybody else did to the map. */
  replace(desired: Iterable<readonly [K, V]>): Applied {
    const wanted = this.#pack(desired);
    const actual = this.#read();
    return this.#change(actual, wanted, new Set([...actual.keys()].filter((key) => !wanted.has(key))));
  }

  /** Differences to what the kernel has. */
  verify(desired: Iterable<readonly [K, V]>): DifferenceAnswer[] {
    return this.#compare(this.#pack(desired), this.#read());
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
    this.#size = count;
    return rows;
  }

  /** At least the rows with these keys. A trie is read whole: it answers with the longest match. */
  #lookup(keys: readonly string[]): Rows {
    if (this.#map.type === 'lpm_trie' || keys.length > this.#size) return this.#read();
    const rows = new Map<string, string>();
    for (const key of keys) {
      const value = this.#map.lookup(Buffer.from(key, 'latin1'));
      if (value !== undefined) rows.set(key, this.#values.at(value, 0));
    }
    return rows;
  }

  /** Deletes first: they make room. */
  #change(actual: Rows, wanted: Rows, unwanted: ReadonlySet<string>): Applied {
    const changed = [...wanted].filter(([key, value]) => actual.get(key) !== value);
    const gone = [...unwanted].filter((key) => actual.has(key));
    const added = changed.filter(([key]) => !actual.has(key)).length;
    try {
      if (gone.length > 0) this.#map.deleteBatch(bytesOf(gone), gone.length);
      if (changed.length > 0) {
        const [keys, values] = [changed.map(([key]) => key), changed.map(([, value]) => value)];
        this.#map.updateBatch(bytesOf(keys), bytesOf(values), changed.length);
      }
    } catch (error) {
      this.#size = this.#map.lookupAll().count;
      throw explainFull(this.name, this.capacity, error);
    }
    this.#size += added - gone.length;
    return { written: changed.length, deleted: gone.length };
  }

  #compare(desired: Rows, actual: Rows): DifferenceAnswer[] {
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

/** Encoded keys or values, one after another. */
function bytesOf(packed: readonly string[]): Buffer {
  return Buffer.from(packed.join(''), 'latin1');
}

/** MAP_FULL where that is what the kernel says. */
export function explainFull(map: string, capacity: number, error: unknown): unknown {
  if (!(error instanceof BpfError) || (error.code !== 'E2BIG' && error.code !== 'ENOSPC')) return error;
  return new PlaitError('MAP_FULL', `write map ${map}: all ${capacity} rows are in use`, {
    hint: 'the size of the map bounds what one node can hold',
    cause: error,
  });
}
