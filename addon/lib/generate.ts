// TypeScript source from an object's BTF: interfaces, codecs, enum tables, and the codecs of each map.
import { basename } from 'node:path';
import { Btf } from './btf.js';
import { misuse } from './error.js';
import { enumSource } from './generate-enum.js';
import { camelCase, pascalCase, resolve, type Shape, shapeOf } from './shape.js';

export interface GenerateOptions {
  /** More types to emit ("struct x", "enum y"), which must be in the object's BTF. */
  types?: readonly string[];
  /** What the generated file imports the codecs from; this package by default. */
  module?: string;
}

/** Variables in this section exist for the types' sake; see the README. */
const typesSection = '.types';

class Source {
  readonly #btf: Btf;
  readonly #imports = new Set<string>();
  readonly #structs = new Map<number, string>();
  readonly #enums = new Map<number, string>();
  readonly #owners = new Map<string, number>();

  constructor(btf: Btf) {
    this.#btf = btf;
  }

  /** Emits what `typeId` needs; follows pointers, since only a declaration's type is wanted. */
  add(typeId: number): void {
    const { type } = resolve(this.#btf.types, typeId);
    if (type.kind === 'ptr') this.add(type.typeId);
    else this.#addShape(shapeOf(this.#btf.types, typeId));
  }

  mapCodecs(): string {
    const rows = this.#btf.maps().flatMap(({ name, key, value, inner }) => {
      const own = this.#pair(key, inner ? undefined : value);
      const nested = inner && this.#pair(inner.key, inner.value);
      if (own.length === 0) return [];
      return [
        `  ${name}: { ${[...own, ...(nested?.length ? [`inner: { ${nested.join(', ')} }`] : [])].join(', ')} },`,
      ];
    });
    if (rows.length === 0) return '';
    return `/** Codecs of the maps, by name; inner: of the maps inside. */\nexport const mapCodecs = {\n${rows.join('\n')}\n} as const;\n`;
  }

  toString(header: string, module: string): string {
    const maps = this.mapCodecs();
    const needed = [...this.#imports].sort();
    const names = this.#structs.size > 0 ? ['type Codec', ...needed] : needed;
    const imports = names.length > 0 ? `import { ${names.join(', ')} } from '${module}';\n` : '';
    const blocks = [...this.#enums.values(), ...this.#structs.values(), maps].filter((block) => block !== '');
    return [`${header}${imports}`, ...blocks].join('\n');
  }

  #pair(key: number | undefined, value: number | undefined): string[] {
    const expression = (typeId: number) => this.#codec(shapeOf(this.#btf.types, typeId));
    return [
      ...(key === undefined ? [] : [`key: ${expression(key)}`]),
      ...(value === undefined ? [] : [`value: ${expression(value)}`]),
    ];
  }

  #addShape(shape: Shape): void {
    if (shape.kind === 'array') this.#addShape(shape.element);
    if (shape.kind === 'scalar' && shape.enumId !== undefined) this.#addEnum(shape.enumId);
    if (shape.kind !== 'struct' || this.#structs.has(shape.typeId)) return;
    for (const field of shape.fields) this.#addShape(field.shape);
    if (shape.name === '') return;
    this.#claim(pascalCase(shape.name), shape.typeId);
    this.#structs.set(shape.typeId, this.#structSource(shape));
  }

  #addEnum(id: number): void {
    const type = this.#btf.types[id];
    if (type?.kind !== 'enum' || type.name === '' || this.#enums.has(id)) return;
    this.#claim(pascalCase(type.name), id);
    this.#enums.set(id, enumSource(type));
  }

  #claim(name: string, id: number): void {
    if ((this.#owners.get(name) ?? id) !== id) throw misuse('generate types', `two types become ${name}`);
    this.#owners.set(name, id);
  }

  #structSource(shape: Shape & { kind: 'struct' }): string {
    const name = pascalCase(shape.name);
    const members = shape.fields.map((field) => `  ${field.name}: ${this.#type(field.shape)};\n`).join('');
    const body = this.#structCodec(shape, name);
    return (
      `/** struct ${shape.name}, ${shape.size} bytes. */\nexport interface ${name} {\n${members}}\n\n` +
      `export const ${camelCase(shape.name)}Codec: Codec<${name}> = ${body};\n`
    );
  }

  #structCodec(shape: Shape & { kind: 'struct' }, type: string): string {
    this.#imports.add('struct');
    const rows = shape.fields.map(
      ({ name, offset, shape }) => `  ['${name}', ${offset}, ${this.#codec(shape)}],\n`,
    );
    return `struct<${type}>(${shape.size}, [\n${rows.join('')}])`;
  }

  #type(shape: Shape): string {
    switch (shape.kind) {
      case 'scalar':
        if (shape.scalar === 'bool') return 'boolean';
        return shape.size === 8 ? 'bigint' : 'number';
      case 'bytes':
        return 'Uint8Array';
      case 'cstring':
        return 'string';
      case 'array':
        return `${this.#type(shape.element)}[]`;
      case 'struct': {
        if (shape.name !== '') return pascalCase(shape.name);
        return `{ ${shape.fields.map((field) => `${field.name}: ${this.#type(field.shape)}`).join('; ')} }`;
      }
    }
  }

  #codec(shape: Shape): string {
    if (shape.kind === 'struct') {
      return shape.name !== ''
        ? `${camelCase(shape.name)}Codec`
        : this.#structCodec(shape, this.#type(shape));
    }
    this.#imports.add(shape.kind === 'scalar' ? shape.scalar : shape.kind);
    if (shape.kind === 'scalar') return shape.scalar;
    if (shape.kind === 'array') return `array(${this.#codec(shape.element)}, ${shape.count})`;
    return `${shape.kind}(${shape.size})`;
  }
}

function roots(btf: Btf, extra: readonly string[]): number[] {
  const ofMaps = btf.maps().flatMap(({ key, value, inner }) => [key, value, inner?.key, inner?.value]);
  const declared = [...btf.variables(typesSection)].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, id]) => id);
  return [...ofMaps, ...declared, ...extra.map((name) => btf.find(name))].filter((id) => id !== undefined);
}

/**
 * TypeScript source for the types that an object's maps hold, for those of variables in section ".types", and for
 * those named in the options. The same object gives the same text; it ends with a newline.
 */
export function generateTypes(objectPath: string, options: GenerateOptions = {}): string {
  const btf = Btf.fromObject(objectPath);
  const source = new Source(btf);
  for (const id of roots(btf, options.types ?? [])) source.add(id);
  const header =
    `// Generated from the BTF of ${basename(objectPath)} by libbpf-ts-gen. Do not edit: change the C types, build the\n` +
    '// object and generate again.\n';
  return source.toString(header, options.module ?? 'libbpf-ts-bindings');
}
