// Codecs between bytes as the kernel sees them and JavaScript values. Integers are in the host's byte order unless the
// name says big-endian (be16, be32, be64: network order). Widths are checked: a value that does not fit is an error,
// never cut.
import { endianness } from 'node:os';
import { misuse } from './error.js';

/** Turns values of one C type into its bytes and back. */
export interface Codec<T> {
  /** Bytes of one value, padding included. */
  readonly size: number;
  /** Writes `size` bytes into `into` at `offset` (a new buffer by default) and returns that buffer. */
  encode(value: T, into?: Uint8Array, offset?: number): Uint8Array;
  decode(bytes: Uint8Array, offset?: number): T;
}

/** The value type of a codec: `CodecType<typeof fdbKeyCodec>`. */
export type CodecType<C> = C extends Codec<infer T> ? T : never;

const littleHost = endianness() === 'LE';

/** A codec from its two halves; takes care of the buffer and of its bounds. */
export function codec<T>(
  size: number,
  write: (value: T, into: Uint8Array, offset: number) => void,
  read: (bytes: Uint8Array, offset: number) => T,
): Codec<T> {
  return {
    size,
    encode(value, into = new Uint8Array(size), offset = 0) {
      if (offset < 0 || offset + size > into.length) throw misuse('encode value', `needs ${size} bytes`);
      write(value, into, offset);
      return into;
    },
    decode(bytes, offset = 0) {
      if (offset < 0 || offset + size > bytes.length) {
        throw misuse('decode value', `needs ${size} bytes, got ${Math.max(0, bytes.length - offset)}`);
      }
      return read(bytes, offset);
    },
  };
}

function integer(size: 1 | 2 | 4, signed: boolean, little: boolean): Codec<number> {
  const bits = size * 8;
  const min = signed ? -(2 ** (bits - 1)) : 0;
  const max = signed ? 2 ** (bits - 1) - 1 : 2 ** bits - 1;
  const shift = 32 - bits;
  const byteAt = (i: number) => 8 * (little ? i : size - 1 - i);
  return codec(
    size,
    (value, into, offset) => {
      if (!Number.isInteger(value) || value < min || value > max) {
        throw misuse('encode value', `${value} is not an integer of ${min}…${max}`);
      }
      for (let i = 0; i < size; i++) into[offset + i] = value >>> byteAt(i);
    },
    (bytes, offset) => {
      let value = 0;
      for (let i = 0; i < size; i++) value |= (bytes[offset + i] as number) << byteAt(i);
      return signed ? (value << shift) >> shift : value >>> 0;
    },
  );
}

function bigInteger(signed: boolean, little: boolean): Codec<bigint> {
  const [lowAt, highAt] = little ? [0, 4] : [4, 0];
  const half = little ? integer(4, false, true) : integer(4, false, false);
  const wrap = (value: bigint) => (signed ? BigInt.asIntN(64, value) : BigInt.asUintN(64, value));
  return codec(
    8,
    (value, into, offset) => {
      if (typeof value !== 'bigint' || wrap(value) !== value) {
        throw misuse('encode value', `${value} is not a ${signed ? '' : 'un'}signed 64-bit bigint`);
      }
      const unsigned = BigInt.asUintN(64, value);
      half.encode(Number(unsigned & 0xffffffffn), into, offset + lowAt);
      half.encode(Number(unsigned >> 32n), into, offset + highAt);
    },
    (bytes, offset) => {
      const low = BigInt(half.decode(bytes, offset + lowAt));
      const high = BigInt(half.decode(bytes, offset + highAt));
      return wrap((high << 32n) | low);
    },
  );
}

export const u8 = integer(1, false, littleHost);
export const u16 = integer(2, false, littleHost);
export const u32 = integer(4, false, littleHost);
export const u64 = bigInteger(false, littleHost);
export const i8 = integer(1, true, littleHost);
export const i16 = integer(2, true, littleHost);
export const i32 = integer(4, true, littleHost);
export const i64 = bigInteger(true, littleHost);
/** __be16: network byte order on the wire and in the map, a plain number here. */
export const be16 = integer(2, false, false);
/** __be32. */
export const be32 = integer(4, false, false);
/** __be64. */
export const be64 = bigInteger(false, false);

/** C's bool: one byte, 0 or 1. */
export const bool: Codec<boolean> = codec(
  1,
  (value, into, offset) => {
    into[offset] = value ? 1 : 0;
  },
  (bytes, offset) => bytes[offset] !== 0,
);

/** Exactly `size` bytes; decoding copies. */
export function bytes(size: number): Codec<Uint8Array> {
  return codec(
    size,
    (value, into, offset) => {
      if (!(value instanceof Uint8Array) || value.length !== size) {
        throw misuse('encode value', `not a Uint8Array of ${size} bytes`);
      }
      into.set(value, offset);
    },
    (source, offset) => new Uint8Array(source.subarray(offset, offset + size)),
  );
}

/** char[size]: UTF-8 text up to the first NUL, which always fits. */
export function cstring(size: number): Codec<string> {
  return codec(
    size,
    (value, into, offset) => {
      const text = Buffer.from(value, 'utf8');
      if (text.length >= size || text.includes(0)) {
        throw misuse('encode value', `text does not fit ${size - 1} bytes or contains a NUL`);
      }
      into.fill(0, offset, offset + size);
      into.set(text, offset);
    },
    (source, offset) => {
      const text = Buffer.from(source.buffer, source.byteOffset + offset, size);
      const end = text.indexOf(0);
      return text.toString('utf8', 0, end < 0 ? size : end);
    },
  );
}

/** T[count]. */
export function array<T>(element: Codec<T>, count: number): Codec<T[]> {
  return codec(
    element.size * count,
    (values, into, offset) => {
      if (values.length !== count)
        throw misuse('encode value', `${values.length} elements instead of ${count}`);
      for (const [i, value] of values.entries()) element.encode(value, into, offset + i * element.size);
    },
    (source, offset) =>
      Array.from({ length: count }, (_, i) => element.decode(source, offset + i * element.size)),
  );
}

/** Name, byte offset and codec of one member. */
export type Field<T, K extends keyof T & string = keyof T & string> = {
  [N in K]: readonly [name: N, offset: number, codec: Codec<T[N]>];
}[K];

/** A struct of `size` bytes; whatever no field covers is written as zero, as hash keys need it. */
export function struct<T extends object>(size: number, fields: readonly Field<T>[]): Codec<T> {
  return codec(
    size,
    (value, into, offset) => {
      into.fill(0, offset, offset + size);
      for (const [name, at, field] of fields) field.encode(value[name], into, offset + at);
    },
    (source, offset) => {
      const value: Partial<T> = {};
      for (const [name, at, field] of fields) value[name] = field.decode(source, offset + at);
      return value as T;
    },
  );
}

/** @internal By the name that a shape carries. */
export const scalarCodecs = { u8, u16, u32, u64, i8, i16, i32, i64, be16, be32, be64, bool } as const;
