import { Btf } from './btf.js';
import { BpfError, misuse } from './error.js';
import { BpfMap, type MapType } from './map.js';
import { type NativeMapSpec, type NativeObject, type NativeProgramSpec, native } from './native.js';
import { BpfProgram } from './program.js';

/** What a variable may be set to: bytes as they are, or a value that the variable's BTF type encodes. */
export type VariableValue = number | bigint | boolean | Uint8Array | readonly unknown[] | object;

/** A map of an object that is not loaded yet. */
export class MapSpec {
  /** Without the object's name for data sections: ".rodata", ".bss". */
  readonly name: string;
  readonly type: MapType;
  readonly keySize: number;
  readonly valueSize: number;
  readonly flags: number;
  readonly #object: NativeObject;
  #maxEntries: number;
  #pinPath: string | undefined;

  /** @internal */
  constructor(object: NativeObject, spec: NativeMapSpec) {
    this.#object = object;
    this.name = spec.name;
    this.type = spec.type;
    this.keySize = spec.keySize;
    this.valueSize = spec.valueSize;
    this.flags = spec.flags;
    this.#maxEntries = spec.maxEntries;
    this.#pinPath = spec.pinPath;
  }

  get maxEntries(): number {
    return this.#maxEntries;
  }

  set maxEntries(entries: number) {
    this.#object.setMaxEntries(this.name, entries);
    this.#maxEntries = entries;
  }

  /** load() takes over the map that is pinned there (EINVAL when its shape differs), or pins the new one. */
  get pinPath(): string | undefined {
    return this.#pinPath;
  }

  set pinPath(path: string | undefined) {
    this.#object.setPinPath(this.name, path);
    this.#pinPath = path;
  }

  /** Maps of maps: a map shaped as the inner ones will be. It may be closed afterwards. */
  setInnerMap(map: BpfMap): void {
    this.#object.setInnerMap(this.name, map.native);
  }
}

/** A program of an object that is not loaded yet. */
export class ProgramSpec {
  readonly name: string;
  /** ELF section, which chose the type: "tc", "xdp", … */
  readonly section: string;
  readonly type: string;
  /** Before relocation and inlining of subprograms. */
  readonly instructions: number;
  readonly #object: NativeObject;
  #autoload: boolean;

  /** @internal */
  constructor(object: NativeObject, spec: NativeProgramSpec) {
    this.#object = object;
    this.name = spec.name;
    this.section = spec.section;
    this.type = spec.type;
    this.instructions = spec.instructions;
    this.#autoload = spec.autoload;
  }

  /** Whether load() loads it. */
  get autoload(): boolean {
    return this.#autoload;
  }

  set autoload(on: boolean) {
    this.#object.setAutoload(this.name, on);
    this.#autoload = on;
  }
}

function byName<T extends { name: string }>(specs: T[]): ReadonlyMap<string, T> {
  return new Map(specs.map((spec) => [spec.name, spec]));
}

/** A BPF object file: editable until load(), a source of maps and programs afterwards. */
export class BpfObject {
  readonly path: string;
  readonly maps: ReadonlyMap<string, MapSpec>;
  readonly programs: ReadonlyMap<string, ProgramSpec>;
  readonly #native: NativeObject;
  readonly #openMaps = new Map<string, BpfMap>();
  readonly #openPrograms = new Map<string, BpfProgram>();
  #btf: Btf | undefined;

  /** @internal Use openObject(). */
  constructor(path: string, pinRoot?: string) {
    this.path = path;
    this.#native = new native.NativeObject(path, pinRoot);
    this.maps = byName(this.#native.maps().map((spec) => new MapSpec(this.#native, spec)));
    this.programs = byName(this.#native.programs().map((spec) => new ProgramSpec(this.#native, spec)));
  }

  /** The object's types. */
  get btf(): Btf {
    this.#btf ??= Btf.fromObject(this.path);
    return this.#btf;
  }

  /**
   * Sets constants (`const volatile`, section .rodata) by name before load(). Numbers and structs are encoded by the
   * variable's BTF type (a __be32 in network order); a Uint8Array is taken as it is and must have the exact length.
   */
  setRodata(values: Readonly<Record<string, VariableValue>>): void {
    const variables = new Map(
      this.#native
        .variables()
        .filter(({ section }) => section === '.rodata')
        .map((variable) => [variable.name, variable]),
    );
    for (const [name, value] of Object.entries(values)) {
      const op = `set constant ${name}`;
      const variable = variables.get(name);
      if (!variable) throw new BpfError(op, 'ENOENT', 2, 'the object has no such variable in .rodata');
      const bytes = value instanceof Uint8Array ? value : this.btf.encodeVariable(op, variable.typeId, value);
      if (bytes.length !== variable.size) {
        throw misuse(op, `value has ${bytes.length} bytes instead of ${variable.size}`);
      }
      this.#native.writeData('.rodata', variable.offset, bytes);
    }
  }

  /** The bytes of .rodata as they will be loaded; empty when the object has none. */
  rodata(): Buffer {
    return this.maps.has('.rodata') ? this.#native.readData('.rodata') : Buffer.alloc(0);
  }

  /**
   * Creates the maps and verifies the programs, off the event loop. A verifier's refusal is a BpfError whose message
   * has its telling line and whose `log` has all of it. After a failure the object can only be closed.
   */
  async load(): Promise<void> {
    await this.#native.load();
  }

  /** A loaded map, the same object each time; it is closed with this object. */
  map(name: string): BpfMap {
    const map = this.#openMaps.get(name) ?? new BpfMap(this.#native.map(name));
    this.#openMaps.set(name, map);
    return map;
  }

  /** A loaded program, the same object each time; it is closed with this object. */
  program(name: string): BpfProgram {
    const program = this.#openPrograms.get(name) ?? new BpfProgram(this.#native.program(name));
    this.#openPrograms.set(name, program);
    return program;
  }

  /** Closes the object and every map and program taken from it, not links and pins. EBUSY while loading. */
  close(): void {
    this.#native.close();
    for (const child of [...this.#openMaps.values(), ...this.#openPrograms.values()]) child.close();
    this.#openMaps.clear();
    this.#openPrograms.clear();
  }
}

/** Opens a BPF object file; nothing reaches the kernel before load(). `pinRoot` is for maps that pin by name. */
export function openObject(path: string, options: { pinRoot?: string } = {}): BpfObject {
  return new BpfObject(path, options.pinRoot);
}
