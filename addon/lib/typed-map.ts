import { type Codec, codec } from './codec.js';
import { misuse } from './error.js';
import type { BpfMap } from './map.js';
import type { UpdateMode } from './types.js';

/** A map through codecs, close to JavaScript's own Map. It borrows the BpfMap: close that one. */
export class TypedMap<K, V> {
  readonly map: BpfMap;
  readonly #key: Codec<K>;
  readonly #value: Codec<V>;

  /** @internal Use BpfMap.typed() or typedPerCpu(). */
  constructor(map: BpfMap, key: Codec<K>, value: Codec<V>) {
    this.map = map;
    this.#key = key;
    this.#value = value;
  }

  get(key: K): V | undefined {
    const value = this.map.lookup(this.#key.encode(key));
    return value && this.#value.decode(value);
  }

  has(key: K): boolean {
    return this.map.has(this.#key.encode(key));
  }

  set(key: K, value: V, mode: UpdateMode = 'any'): void {
    this.map.update(this.#key.encode(key), this.#value.encode(value), mode);
  }

  /** Whether there was something to delete. */
  delete(key: K): boolean {
    return this.map.delete(this.#key.encode(key));
  }

  /** Writes all of them in as few system calls as the kernel allows; returns how many. */
  setMany(entries: Iterable<readonly [K, V]>, mode: UpdateMode = 'any'): number {
    const all = [...entries];
    const keys = new Uint8Array(all.length * this.#key.size);
    const values = new Uint8Array(all.length * this.#value.size);
    for (const [i, [key, value]] of all.entries()) {
      this.#key.encode(key, keys, i * this.#key.size);
      this.#value.encode(value, values, i * this.#value.size);
    }
    return this.map.updateBatch(keys, values, all.length, mode);
  }

  /** Deletes all of them in as few system calls as the kernel allows; returns how many were there. */
  deleteMany(keys: Iterable<K>): number {
    const all = [...keys];
    const packed = new Uint8Array(all.length * this.#key.size);
    for (const [i, key] of all.entries()) this.#key.encode(key, packed, i * this.#key.size);
    return this.map.deleteBatch(packed, all.length);
  }

  /** A snapshot of all entries, taken by batches. */
  *entries(): IterableIterator<[K, V]> {
    const { keys, values, count } = this.map.lookupAll();
    for (let i = 0; i < count; i++) {
      yield [this.#key.decode(keys, i * this.#key.size), this.#value.decode(values, i * this.#value.size)];
    }
  }

  *keys(): IterableIterator<K> {
    for (const [key] of this.entries()) yield key;
  }

  *values(): IterableIterator<V> {
    for (const [, value] of this.entries()) yield value;
  }

  [Symbol.iterator](): IterableIterator<[K, V]> {
    return this.entries();
  }

  /** Counts by reading the whole map: linear in its entries. */
  get size(): number {
    return this.map.lookupAll().count;
  }
}

function checkSize(map: BpfMap, what: 'key' | 'value', codecSize: number, mapSize: number): void {
  if (codecSize === mapSize) return;
  throw misuse(`type map ${map.name}`, `the ${what} codec has ${codecSize} bytes, the map ${mapSize}`);
}

export function typedMap<K, V>(map: BpfMap, key: Codec<K>, value: Codec<V>): TypedMap<K, V> {
  checkSize(map, 'key', key.size, map.keySize);
  checkSize(map, 'value', value.size, map.valueBytes);
  return new TypedMap(map, key, value);
}

export function perCpuTyped<K, V>(map: BpfMap, key: Codec<K>, value: Codec<V>): TypedMap<K, V[]> {
  checkSize(map, 'key', key.size, map.keySize);
  checkSize(map, 'value', value.size, map.valueSize);
  const stride = Math.ceil(map.valueSize / 8) * 8;
  const cpus = map.valueBytes / stride;
  if (!map.type.includes('percpu')) throw misuse(`type map ${map.name}`, 'it is not a per-CPU map');
  const all = codec<V[]>(
    map.valueBytes,
    (values, into, offset) => {
      if (values.length !== cpus) {
        throw misuse(`update map ${map.name}`, `${values.length} values for ${cpus} possible CPUs`);
      }
      for (const [cpu, one] of values.entries()) value.encode(one, into, offset + cpu * stride);
    },
    (source, offset) => Array.from({ length: cpus }, (_, cpu) => value.decode(source, offset + cpu * stride)),
  );
  return new TypedMap(map, key, all);
}
