// How a BTF type looks in JavaScript, decided once: codecs (btf.ts) and generated source (generate.ts) both follow it.
import type { BtfMember, BtfType } from './btf-parse.js';
import { misuse } from './error.js';

export type Scalar =
  | 'u8'
  | 'u16'
  | 'u32'
  | 'u64'
  | 'i8'
  | 'i16'
  | 'i32'
  | 'i64'
  | 'be16'
  | 'be32'
  | 'be64'
  | 'bool';

export interface ShapeField {
  /** camelCase. */
  name: string;
  /** Bytes. */
  offset: number;
  shape: Shape;
}

export type Shape =
  | { kind: 'scalar'; scalar: Scalar; size: number; enumId?: number }
  | { kind: 'bytes'; size: number }
  | { kind: 'cstring'; size: number }
  | { kind: 'array'; element: Shape; count: number; size: number }
  | { kind: 'struct'; typeId: number; name: string; size: number; fields: ShapeField[] };

const networkOrder: Readonly<Record<string, Scalar>> = { __be16: 'be16', __be32: 'be32', __be64: 'be64' };
const padding = /^_*(pad|padding|reserved)\d*_*$/;

/** rx_packets → rxPackets */
export function camelCase(name: string): string {
  return name.replace(/^_+/, '').replace(/_+(\w)/g, (_, letter: string) => letter.toUpperCase());
}

/** fdb_key → FdbKey */
export function pascalCase(name: string): string {
  const camel = camelCase(name);
  return camel.charAt(0).toUpperCase() + camel.slice(1);
}

function typeAt(types: readonly BtfType[], id: number): BtfType {
  const type = types[id];
  if (!type) throw misuse('read BTF', `no type ${id}`);
  return type;
}

type Wrapper = BtfType & { kind: 'typedef' | 'volatile' | 'const' | 'restrict' | 'type_tag' };

const wrapperKinds: ReadonlySet<string> = new Set(['typedef', 'volatile', 'const', 'restrict', 'type_tag']);

function isWrapper(type: BtfType): type is Wrapper {
  return wrapperKinds.has(type.kind);
}

/** Strips typedef, const, volatile, restrict. */
export function resolve(types: readonly BtfType[], id: number): { id: number; type: BtfType } {
  const type = typeAt(types, id);
  return isWrapper(type) ? resolve(types, type.typeId) : { id, type };
}

function networkScalar(types: readonly BtfType[], id: number): Scalar | undefined {
  const type = typeAt(types, id);
  if (!isWrapper(type)) return undefined;
  const own = type.kind === 'typedef' ? networkOrder[type.name] : undefined;
  return own ?? networkScalar(types, type.typeId);
}

function integer(size: number, signed: boolean): Scalar {
  if (size !== 1 && size !== 2 && size !== 4 && size !== 8) {
    throw misuse('read BTF', `integers of ${size} bytes are not supported`);
  }
  return `${signed ? 'i' : 'u'}${(size * 8) as 8 | 16 | 32 | 64}`;
}

function arrayShape(types: readonly BtfType[], elementId: number, count: number): Shape {
  const { type } = resolve(types, elementId);
  if (type.kind === 'int' && type.size === 1 && !type.bool) {
    return { kind: type.name === 'char' ? 'cstring' : 'bytes', size: count };
  }
  const element = shapeOf(types, elementId);
  return { kind: 'array', element, count, size: element.size * count };
}

function fieldsOf(types: readonly BtfType[], owner: string, member: BtfMember, base: number): ShapeField[] {
  if (member.bitSize !== 0 || member.bitOffset % 8 !== 0) {
    if (member.name === '' || padding.test(member.name)) return [];
    throw misuse('read BTF', `bit field ${owner}.${member.name} is not supported`);
  }
  const offset = base + member.bitOffset / 8;
  if (member.name !== '') {
    if (padding.test(member.name)) return [];
    return [{ name: camelCase(member.name), offset, shape: shapeOf(types, member.typeId) }];
  }
  const { type } = resolve(types, member.typeId);
  if (type.kind === 'struct') return type.members.flatMap((inner) => fieldsOf(types, owner, inner, offset));
  throw misuse('read BTF', `${owner} has a union without a name, which cannot be one value`);
}

/** A union with a name is opaque bytes: nobody but its user knows which member counts. Pointers are u64. */
export function shapeOf(types: readonly BtfType[], typeId: number): Shape {
  const { id, type } = resolve(types, typeId);
  const network = networkScalar(types, typeId);
  switch (type.kind) {
    case 'int': {
      const scalar = network ?? (type.bool ? 'bool' : integer(type.size, type.signed));
      return { kind: 'scalar', scalar, size: type.size };
    }
    case 'enum':
      return { kind: 'scalar', scalar: integer(type.size, type.signed), size: type.size, enumId: id };
    case 'ptr':
      return { kind: 'scalar', scalar: 'u64', size: 8 };
    case 'array':
      return arrayShape(types, type.typeId, type.count);
    case 'union':
      return { kind: 'bytes', size: type.size };
    case 'struct': {
      const owner = type.name || 'an anonymous struct';
      const fields = type.members.flatMap((member) => fieldsOf(types, owner, member, 0));
      return { kind: 'struct', typeId: id, name: type.name, size: type.size, fields };
    }
    default:
      throw misuse('read BTF', `${type.kind} ${type.name} has no value`);
  }
}
