// The compiled half, typed. Only this package's own classes see it: everything that it takes, it checks itself.
import { createRequire } from 'node:module';
import { BpfError } from './error.js';
import type { Direction, LinkInfo, NetkitEnd, ProgramInfo, TcxEntry } from './types.js';

export interface NativeMapInfo {
  type: string;
  id: number;
  name: string;
  keySize: number;
  valueSize: number;
  valueBytes: number;
  maxEntries: number;
  flags: number;
}

export interface NativeMap {
  info(): NativeMapInfo;
  fd(): number;
  lookup(key: Uint8Array): Buffer | undefined;
  update(key: Uint8Array, value: Uint8Array | NativeMap | NativeProgram, flags: number): void;
  delete(key: Uint8Array): boolean;
  nextKey(key?: Uint8Array): Buffer | undefined;
  updateBatch(keys: Uint8Array, values: Uint8Array, count: number, flags: number): number;
  deleteBatch(keys: Uint8Array, count: number): number;
  lookupAll(): { keys: Buffer; values: Buffer; count: number };
  pin(path: string): void;
  freeze(): void;
  close(): void;
}

export interface NativeTestResult {
  retval: number;
  durationNs: number;
  data: Buffer;
  ctx?: Buffer;
}

export interface NativeProgram {
  info(): ProgramInfo;
  fd(): number;
  testRun(
    data: Uint8Array,
    ctx: Uint8Array | undefined,
    repeat: number,
    dataOutSize: number,
    netns: string | undefined,
    live: boolean,
    batchSize: number,
  ): NativeTestResult;
  pin(path: string): void;
  close(): void;
}

export interface NativeLink {
  info(): LinkInfo;
  update(program: NativeProgram): void;
  detach(): void;
  pin(path: string): void;
  unpin(): void;
  pinPath(): string | undefined;
  close(): void;
}

export interface NativeMapSpec {
  name: string;
  type: string;
  keySize: number;
  valueSize: number;
  maxEntries: number;
  flags: number;
  pinPath?: string;
}

export interface NativeProgramSpec {
  name: string;
  section: string;
  type: string;
  instructions: number;
  autoload: boolean;
}

export interface NativeVariable {
  section: string;
  name: string;
  offset: number;
  size: number;
  typeId: number;
}

export interface NativeObject {
  maps(): NativeMapSpec[];
  programs(): NativeProgramSpec[];
  variables(): NativeVariable[];
  readData(section: string): Buffer;
  writeData(section: string, offset: number, bytes: Uint8Array): void;
  setMaxEntries(map: string, entries: number): void;
  setPinPath(map: string, path: string | undefined): void;
  setInnerMap(map: string, inner: NativeMap): void;
  setAutoload(program: string, autoload: boolean): void;
  load(): Promise<void>;
  map(name: string): NativeMap;
  program(name: string): NativeProgram;
  close(): void;
}

export interface NativeRingBuffer {
  close(): void;
  flush(): void;
  keepAlive(on: boolean): void;
}

export interface NativeMapOptions {
  type: string;
  name?: string | undefined;
  keySize?: number | undefined;
  valueSize?: number | undefined;
  maxEntries: number;
  flags?: number | undefined;
  innerMap?: NativeMap | undefined;
}

/** tcx's, netkit's. */
export type Hook = Direction | `netkit ${NetkitEnd}`;

export type LinkArguments = [
  program: NativeProgram,
  ifindex: number,
  hook: Hook,
  netns?: string | undefined,
  position?: 'before' | 'after',
  anchor?: NativeLink | NativeProgram,
];

export type ClsactArguments = [
  program: NativeProgram,
  ifindex: number,
  direction: Direction,
  netns: string | undefined,
  handle: number,
  priority: number,
  replace: boolean,
];

interface Native {
  setErrorClass(error: typeof BpfError): void;
  NativeObject: new (path: string, pinRoot?: string) => NativeObject;
  NativeRingBuffer: new (map: NativeMap, onRecord: (record: Buffer) => void) => NativeRingBuffer;
  createMap(options: NativeMapOptions): NativeMap;
  mapFromPinned(path: string): NativeMap;
  mapFromId(id: number): NativeMap;
  programFromPinned(path: string): NativeProgram;
  programFromId(id: number): NativeProgram;
  linkFromPinned(path: string, netns?: string): NativeLink;
  linkFromId(id: number): NativeLink;
  unpin(path: string): void;
  possibleCpus(): number;
  attachLink(...how: LinkArguments): NativeLink;
  attachLinkAsync(...how: LinkArguments): Promise<NativeLink>;
  attachClsact(...how: ClsactArguments): NativeLink;
  attachClsactAsync(...how: ClsactArguments): Promise<NativeLink>;
  attachXdp(program: NativeProgram, ifindex: number, mode: string, netns?: string): NativeLink;
  attachXdpAsync(program: NativeProgram, ifindex: number, mode: string, netns?: string): Promise<NativeLink>;
  attachCgroup(program: NativeProgram, path: string, hook: string): NativeLink;
  listPrograms(ifindex: number, hook: Hook, netns?: string): TcxEntry[];
  interfaceIndex(name: string, netns?: string): number;
  socketInNamespace(
    netns: string,
    type: string,
    address: string,
    port: number,
    peerAddress?: string,
    peerPort?: number,
  ): number;
  probe(name: string): boolean;
}

const require = createRequire(import.meta.url);

export const native = load();
native.setErrorClass(BpfError);

/** The loader's own complaints name a file; a person needs the package that it is in. */
function load(): Native {
  try {
    return require('../../build/Release/bpf_ts_bindings.node') as Native;
  } catch (error) {
    const { message } = error as Error;
    const library = /^(lib[^:]+\.so[.\d]*): cannot open shared object file/.exec(message)?.[1];
    if (library === undefined) throw error;
    const advice = library.startsWith('libbpf.so') ? ' (Debian: apt install libbpf1)' : '';
    throw new Error(`load libbpf-ts-bindings: ${library} is not installed${advice}`, { cause: error });
  }
}
