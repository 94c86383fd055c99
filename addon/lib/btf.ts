import { type BtfType, parseBtf } from './btf-parse.js';
import { array, bytes, type Codec, cstring, scalarCodecs, struct } from './codec.js';
import { readSection } from './elf.js';
import { BpfError, misuse } from './error.js';
import { resolve, type Shape, shapeOf } from './shape.js';

export interface BtfMapTypes {
  name: string;
  /** Type ids; absent where the map has none (ring buffers) or gives sizes instead of types. */
  key?: number;
  value?: number;
  /** What the maps inside a map of maps hold. */
  inner?: { key?: number; value?: number };
}

function codecOf(shape: Shape): Codec<unknown> {
  switch (shape.kind) {
    case 'scalar':
      return scalarCodecs[shape.scalar] as Codec<unknown>;
    case 'bytes':
      return bytes(shape.size) as Codec<unknown>;
    case 'cstring':
      return cstring(shape.size) as Codec<unknown>;
    case 'array':
      return array(codecOf(shape.element), shape.count) as Codec<unknown>;
    case 'struct': {
      const fields = shape.fields.map(({ name, offset, shape }) => [name, offset, codecOf(shape)] as const);
      return struct<Record<string, unknown>>(shape.size, fields) as Codec<unknown>;
    }
  }
}

/** Numbers are taken for 64-bit variables and for booleans too: there is no doubt what they mean. */
function coerce(shape: Shape, value: unknown): unknown {
  if (shape.kind !== 'scalar') return value;
  if (shape.scalar === 'bool') return typeof value === 'boolean' ? value : Number(value) !== 0;
  const plain = typeof value === 'boolean' ? Number(value) : value;
  if (shape.size === 8) return Number.isSafeInteger(plain) ? BigInt(plain as number) : plain;
  return typeof plain === 'bigint' ? Number(plain) : plain;
}

/** The types of a BPF object, as clang -g writes them. */
export class Btf {
  /** By id; id 0 is void. */
  readonly types: readonly BtfType[];

  constructor(types: readonly BtfType[]) {
    this.types = types;
  }

  static fromObject(path: string): Btf {
    return new Btf(parseBtf(readSection(path, '.BTF')));
  }

  /** The id of "struct x", "union x", "enum x", or of a typedef or integer by its plain name; ENOENT. */
  find(name: string): number {
    const [, kind, bare] = /^(struct|union|enum) (\w+)$/.exec(name) ?? [undefined, undefined, name];
    const id = this.types.findIndex(
      (type) =>
        type.name === bare && (kind ? type.kind === kind : type.kind === 'typedef' || type.kind === 'int'),
    );
    if (id > 0) return id;
    throw new BpfError(`find type ${name}`, 'ENOENT', 2, 'the object has no such type');
  }

  /**
   * The codec of a type by name: fields in camelCase without padding, u64 as bigint, __u8[] as Uint8Array, char[] as
   * string, __be16/__be32/__be64 read from network order, enums as numbers, unions as bytes.
   */
  codecFor<T = Record<string, unknown>>(name: string): Codec<T> {
    return codecOf(shapeOf(this.types, this.find(name))) as Codec<T>;
  }

  /** @internal Bytes for a global variable of type `typeId`. */
  encodeVariable(op: string, typeId: number, value: unknown): Uint8Array {
    const shape = shapeOf(this.types, typeId);
    const fits =
      shape.kind === 'scalar' ? typeof value !== 'object' : typeof value === 'object' && value !== null;
    if (!fits || value === undefined) throw misuse(op, `a ${typeof value} does not fit its type`);
    return codecOf(shape).encode(coerce(shape, value));
  }

  /** Variables of one section: name → type id. */
  variables(section: string): ReadonlyMap<string, number> {
    const found = this.types.find((type) => type.kind === 'datasec' && type.name === section);
    const slots = found?.kind === 'datasec' ? found.slots : [];
    return new Map(
      slots.flatMap(({ typeId }) => {
        const variable = this.types[typeId];
        return variable?.kind === 'var' ? [[variable.name, variable.typeId] as const] : [];
      }),
    );
  }

  /** Key and value types of the maps in section .maps, sorted by map name. */
  maps(): BtfMapTypes[] {
    const maps = [...this.variables('.maps')].map(([name, typeId]) => ({ name, ...this.#mapTypes(typeId) }));
    return maps.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  #mapTypes(definitionId: number): Omit<BtfMapTypes, 'name'> {
    const { type } = resolve(this.types, definitionId);
    if (type.kind !== 'struct') return {};
    const found: Omit<BtfMapTypes, 'name'> = {};
    for (const member of type.members) {
      const target = this.#pointee(member.typeId);
      if (target === undefined) continue;
      if (member.name === 'key') found.key = target;
      if (member.name === 'value') found.value = target;
      if (member.name === 'values') found.inner = this.#mapTypes(target);
    }
    return found;
  }

  /** What `T *`, or `T *[]`, points at. */
  #pointee(typeId: number): number | undefined {
    const { type } = resolve(this.types, typeId);
    if (type.kind === 'array') return this.#pointee(type.typeId);
    return type.kind === 'ptr' ? type.typeId : undefined;
  }
}
