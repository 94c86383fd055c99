import type { Codec } from './codec.js';
import { misuse } from './error.js';
import { type NativeMap, native } from './native.js';
import { BpfProgram } from './program.js';
import { perCpuTyped, type TypedMap, typedMap } from './typed-map.js';
import type { UpdateMode } from './types.js';

/** BPF_F_* flags for creating maps. */
export const mapFlags = {
  /** Allocate elements when needed; obligatory for LPM tries (since Linux 4.6). */
  noPrealloc: 1 << 0,
  /** Inner arrays may differ in maxEntries (since Linux 5.10). */
  innerMap: 1 << 12,
  /** Programs may only read. */
  readOnlyProgram: 1 << 7,
} as const;

const modes: Record<UpdateMode, number> = { any: 0, noexist: 1, exist: 2 };

/** The kernel's name for a map type, as bpftool prints it: hash, array, lru_hash, percpu_array, lpm_trie, … */
export type MapType =
  | 'hash'
  | 'array'
  | 'prog_array'
  | 'percpu_hash'
  | 'percpu_array'
  | 'lru_hash'
  | 'lru_percpu_hash'
  | 'lpm_trie'
  | 'array_of_maps'
  | 'hash_of_maps'
  | 'devmap'
  | 'devmap_hash'
  | 'ringbuf'
  | (string & {});

export interface MapOptions {
  type: MapType;
  name?: string;
  /** Bytes; leave out for ring buffers. */
  keySize?: number;
  /** Bytes of one value (of one CPU's value for per-CPU types); 4 for maps of maps; leave out for ring buffers. */
  valueSize?: number;
  /** For ring buffers the size in bytes: a power of two and a multiple of the page size. */
  maxEntries: number;
  flags?: number;
  /** Maps of maps: a map shaped as the inner ones will be. */
  innerMap?: BpfMap;
}

function flagsOf(mode: UpdateMode): number {
  const flags = modes[mode];
  if (flags === undefined) throw misuse('update map', `mode ${String(mode)} is none of any, noexist, exist`);
  return flags;
}

/**
 * A map of the kernel, by a descriptor that this object owns. Keys and values are bytes; `typed()` gives it codecs.
 * Calls are single system calls on the calling thread.
 */
export class BpfMap {
  readonly type: MapType;
  readonly id: number;
  /** At most 15 characters. */
  readonly name: string;
  readonly keySize: number;
  /** Bytes of one value; of one CPU's value for per-CPU types. */
  readonly valueSize: number;
  /** Bytes that lookup returns and update takes: for per-CPU types every possible CPU's value, each padded to 8. */
  readonly valueBytes: number;
  readonly maxEntries: number;
  readonly flags: number;
  readonly #native: NativeMap;

  /** @internal Use create(), openPinned(), fromId() or BpfObject.map(). */
  constructor(handle: NativeMap) {
    const info = handle.info();
    this.#native = handle;
    this.type = info.type;
    this.id = info.id;
    this.name = info.name;
    this.keySize = info.keySize;
    this.valueSize = info.valueSize;
    this.valueBytes = info.valueBytes;
    this.maxEntries = info.maxEntries;
    this.flags = info.flags;
  }

  /** Makes a new map. */
  static create(options: MapOptions): BpfMap {
    return new BpfMap(native.createMap({ ...options, innerMap: options.innerMap?.native }));
  }

  /** Opens what is pinned at `path`; EINVAL when that is no map. */
  static openPinned(path: string): BpfMap {
    return new BpfMap(native.mapFromPinned(path));
  }

  /** Opens a map by its kernel id (what a map of maps returns on lookup). */
  static fromId(id: number): BpfMap {
    return new BpfMap(native.mapFromId(id));
  }

  /** @internal */
  get native(): NativeMap {
    return this.#native;
  }

  /** The descriptor, which stays this object's: do not close it, and do not use it after close(). */
  get fd(): number {
    return this.#native.fd();
  }

  /** The value's bytes (a copy), or undefined. For a map of maps: the inner map's id as u32. */
  lookup(key: Uint8Array): Buffer | undefined {
    return this.#native.lookup(key);
  }

  has(key: Uint8Array): boolean {
    return this.#native.lookup(key) !== undefined;
  }

  /** `value` is a map where values are maps, a program where they are programs, else `valueBytes` bytes. */
  update(key: Uint8Array, value: Uint8Array | BpfMap | BpfProgram, mode: UpdateMode = 'any'): void {
    const nested = value instanceof BpfMap || value instanceof BpfProgram ? value.native : value;
    this.#native.update(key, nested, flagsOf(mode));
  }

  /** Whether there was something to delete. */
  delete(key: Uint8Array): boolean {
    return this.#native.delete(key);
  }

  /** All keys. Where others delete meanwhile, keys may repeat or be missed; lookupAll() is steadier. */
  *keys(): IterableIterator<Buffer> {
    for (let key = this.#native.nextKey(); key; key = this.#native.nextKey(key)) yield key;
  }

  /** All entries, one by one; skips what disappears between key and value. */
  *entries(): IterableIterator<[Buffer, Buffer]> {
    for (const key of this.keys()) {
      const value = this.#native.lookup(key);
      if (value) yield [key, value];
    }
  }

  /**
   * Everything at once, by batches where the kernel has them for this type (since Linux 5.6), else one by one.
   * `keys` and `values` are `count` times keySize and valueBytes. Each key comes once, also where others write and
   * delete meanwhile; what they do in that time may be in it or not.
   */
  lookupAll(): { keys: Buffer; values: Buffer; count: number } {
    return this.#native.lookupAll();
  }

  /** Writes `count` elements from packed arrays and returns `count`; on failure the error names the element. */
  updateBatch(keys: Uint8Array, values: Uint8Array, count: number, mode: UpdateMode = 'any'): number {
    return this.#native.updateBatch(keys, values, count, flagsOf(mode));
  }

  /** Deletes `count` packed keys and returns how many of them were there. */
  deleteBatch(keys: Uint8Array, count: number): number {
    return this.#native.deleteBatch(keys, count);
  }

  /** Pins at `path`, on a mounted bpffs, in a directory that exists; names with dots are refused by the kernel. */
  pin(path: string): void {
    this.#native.pin(path);
  }

  /** Removes the pin at `path`; refuses files outside bpffs. */
  unpin(path: string): void {
    native.unpin(path);
  }

  /** No more writes from user space, for ever (since Linux 5.2). */
  freeze(): void {
    this.#native.freeze();
  }

  /** Closes the descriptor; twice is fine. The map lives on where it is pinned or used. */
  close(): void {
    this.#native.close();
  }

  /** This map through codecs, whose sizes must be the map's. */
  typed<K, V>(key: Codec<K>, value: Codec<V>): TypedMap<K, V> {
    return typedMap(this, key, value);
  }

  /** A per-CPU map through codecs: values are arrays, one element per possible CPU. */
  typedPerCpu<K, V>(key: Codec<K>, value: Codec<V>): TypedMap<K, V[]> {
    return perCpuTyped(this, key, value);
  }
}

/** CPUs that may ever come online: how many values an element of a per-CPU map has. */
export function possibleCpus(): number {
  return native.possibleCpus();
}

/** Removes a pin of any kind; refuses files outside bpffs. */
export function unpin(path: string): void {
  native.unpin(path);
}
