// The BPF Type Format as clang writes it into section .BTF (Documentation/bpf/btf.rst).
import { misuse } from './error.js';

export interface BtfMember {
  name: string;
  typeId: number;
  /** From the start of the struct. */
  bitOffset: number;
  /** 0 unless a bit field. */
  bitSize: number;
}

export interface BtfSlot {
  typeId: number;
  offset: number;
  size: number;
}

export type BtfType =
  | { kind: 'void'; name: '' }
  | { kind: 'int'; name: string; size: number; signed: boolean; bool: boolean }
  | { kind: 'ptr' | 'typedef' | 'volatile' | 'const' | 'restrict' | 'type_tag'; name: string; typeId: number }
  | { kind: 'array'; name: ''; typeId: number; count: number }
  | { kind: 'struct' | 'union'; name: string; size: number; members: BtfMember[] }
  | { kind: 'enum'; name: string; size: number; signed: boolean; values: { name: string; value: bigint }[] }
  | { kind: 'var'; name: string; typeId: number }
  | { kind: 'datasec'; name: string; slots: BtfSlot[] }
  | { kind: 'other'; name: string };

const magic = 0xeb9f;
const wrappers = {
  2: 'ptr',
  8: 'typedef',
  9: 'volatile',
  10: 'const',
  11: 'restrict',
  18: 'type_tag',
} as const;

class Reader {
  offset: number;
  readonly #bytes: Buffer;
  readonly #strings: number;

  constructor(bytes: Buffer, types: number, strings: number) {
    this.#bytes = bytes;
    this.offset = types;
    this.#strings = strings;
  }

  u32(): number {
    this.offset += 4;
    return this.#bytes.readUInt32LE(this.offset - 4);
  }

  i32(): number {
    return this.u32() | 0;
  }

  name(): string {
    const start = this.#strings + this.u32();
    return this.#bytes.toString('utf8', start, this.#bytes.indexOf(0, start));
  }

  times<T>(count: number, read: () => T): T[] {
    return Array.from({ length: count }, read);
  }
}

function readInt(reader: Reader, name: string, size: number): BtfType {
  const encoding = (reader.u32() >>> 24) & 0xf;
  return { kind: 'int', name, size, signed: (encoding & 1) !== 0, bool: (encoding & 4) !== 0 };
}

function readMembers(reader: Reader, count: number, bitFields: boolean): BtfMember[] {
  return reader.times(count, () => {
    const name = reader.name();
    const typeId = reader.u32();
    const offset = reader.u32();
    const bitOffset = bitFields ? offset & 0xffffff : offset;
    return { name, typeId, bitOffset, bitSize: bitFields ? offset >>> 24 : 0 };
  });
}

function readEnum64(reader: Reader, signed: boolean) {
  const name = reader.name();
  const low = BigInt(reader.u32());
  const high = BigInt(reader.u32());
  const value = (high << 32n) | low;
  return { name, value: signed ? BigInt.asIntN(64, value) : value };
}

function readArray(reader: Reader): BtfType {
  const typeId = reader.u32();
  reader.u32(); // the index's type
  return { kind: 'array', name: '', typeId, count: reader.u32() };
}

function readType(reader: Reader): BtfType {
  const name = reader.name();
  const info = reader.u32();
  const sizeOrType = reader.u32();
  const count = info & 0xffff;
  const flag = info >>> 31 === 1;
  const kind = (info >>> 24) & 0x1f;
  switch (kind) {
    case 1:
      return readInt(reader, name, sizeOrType);
    case 2:
    case 8:
    case 9:
    case 10:
    case 11:
    case 18:
      return { kind: wrappers[kind], name, typeId: sizeOrType };
    case 3:
      return readArray(reader);
    case 4:
    case 5: {
      const members = readMembers(reader, count, flag);
      return { kind: kind === 4 ? 'struct' : 'union', name, size: sizeOrType, members };
    }
    case 6: {
      const read = () => ({ name: reader.name(), value: BigInt(flag ? reader.i32() : reader.u32()) });
      return { kind: 'enum', name, size: sizeOrType, signed: flag, values: reader.times(count, read) };
    }
    case 19: {
      const values = reader.times(count, () => readEnum64(reader, flag));
      return { kind: 'enum', name, size: sizeOrType, signed: flag, values };
    }
    case 14:
      reader.u32(); // linkage
      return { kind: 'var', name, typeId: sizeOrType };
    case 15: {
      const read = () => ({ typeId: reader.u32(), offset: reader.u32(), size: reader.u32() });
      return { kind: 'datasec', name, slots: reader.times(count, read) };
    }
    case 13:
      reader.offset += count * 8; // parameters
      return { kind: 'other', name };
    case 17:
      reader.u32(); // component index
      return { kind: 'other', name };
    case 7:
    case 12:
    case 16:
      return { kind: 'other', name };
    default:
      throw misuse('parse BTF', `unknown kind ${kind}`);
  }
}

/** All types by id; id 0 is void. */
export function parseBtf(bytes: Buffer): BtfType[] {
  if (bytes.length < 24 || bytes.readUInt16LE(0) !== magic) throw misuse('parse BTF', 'bad header');
  const headerLength = bytes.readUInt32LE(4);
  const [typeOffset, typeLength, stringOffset, stringLength] = [8, 12, 16, 20].map((at) =>
    bytes.readUInt32LE(at),
  ) as [number, number, number, number];
  const end = headerLength + typeOffset + typeLength;
  if (end > bytes.length || headerLength + stringOffset + stringLength > bytes.length) {
    throw misuse('parse BTF', 'truncated');
  }
  const reader = new Reader(bytes, headerLength + typeOffset, headerLength + stringOffset);
  const types: BtfType[] = [{ kind: 'void', name: '' }];
  while (reader.offset < end) types.push(readType(reader));
  return types;
}
