export { Btf, type BtfMapTypes } from './btf.js';
export type { BtfMember, BtfSlot, BtfType } from './btf-parse.js';
export {
  array,
  be16,
  be32,
  be64,
  bool,
  bytes,
  type Codec,
  type CodecType,
  codec,
  cstring,
  type Field,
  i8,
  i16,
  i32,
  i64,
  struct,
  u8,
  u16,
  u32,
  u64,
} from './codec.js';
export {
  type SkbContext,
  skbContext,
  skbContextCodec,
  type XdpContext,
  xdpContext,
  xdpContextCodec,
} from './context.js';
export { BpfError } from './error.js';
export { features } from './features.js';
export { type GenerateOptions, generateTypes } from './generate.js';
export {
  type AttachCgroupOptions,
  type AttachTcOptions,
  type AttachXdpOptions,
  attachCgroup,
  attachTc,
  attachTcAsync,
  attachXdp,
  attachXdpAsync,
  BpfLink,
  listTcx,
  type TcxPosition,
} from './link.js';
export { BpfMap, type MapOptions, type MapType, mapFlags, possibleCpus, unpin } from './map.js';
export { interfaceIndex, type SocketOptions, socketInNamespace } from './net.js';
export { type AttachNetkitOptions, attachNetkit, attachNetkitAsync, listNetkit } from './netkit.js';
export { BpfObject, MapSpec, openObject, ProgramSpec, type VariableValue } from './object.js';
export { BpfProgram, type TestRunOptions, type TestRunResult } from './program.js';
export { type RingBuffer, ringBuffer } from './ring-buffer.js';
export { TypedMap } from './typed-map.js';
export type { Direction, LinkInfo, NetkitEnd, ProgramInfo, TcxEntry, UpdateMode } from './types.js';
