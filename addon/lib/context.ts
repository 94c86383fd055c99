// Contexts for test runs. Offsets are kernel ABI (include/uapi/linux/bpf.h, struct __sk_buff and struct xdp_md).
import { array, type Codec, type Field, struct, u32, u64 } from './codec.js';

/**
 * The part of struct __sk_buff that a test run may set; the kernel refuses (EINVAL) when anything else is not zero.
 * `ifindex` and `ingressIfindex` must be devices of the namespace in which the test runs.
 */
export interface SkbContext {
  mark: number;
  priority: number;
  ingressIfindex: number;
  ifindex: number;
  /** Five words that belong to the programs. */
  cb: number[];
  /** ns. */
  tstamp: bigint;
  /** Bytes on the wire, all segments; 0 lets the kernel compute it. */
  wireLen: number;
  gsoSegs: number;
  gsoSize: number;
  hwtstamp: bigint;
}

const skbFields: readonly Field<SkbContext>[] = [
  ['mark', 8, u32],
  ['priority', 32, u32],
  ['ingressIfindex', 36, u32],
  ['ifindex', 40, u32],
  ['cb', 48, array(u32, 5)],
  ['tstamp', 152, u64],
  ['wireLen', 160, u32],
  ['gsoSegs', 164, u32],
  ['gsoSize', 176, u32],
  ['hwtstamp', 184, u64],
];

/** struct __sk_buff, 192 bytes, for reading TestRunResult.ctx. */
export const skbContextCodec: Codec<SkbContext> = struct(192, skbFields);

const noSkb: SkbContext = {
  mark: 0,
  priority: 0,
  ingressIfindex: 0,
  ifindex: 0,
  cb: [0, 0, 0, 0, 0],
  tstamp: 0n,
  wireLen: 0,
  gsoSegs: 0,
  gsoSize: 0,
  hwtstamp: 0n,
};

/** TestRunOptions.ctx for a program on skbs; what is left out is zero. */
export function skbContext(fields: Partial<SkbContext>): Uint8Array {
  return skbContextCodec.encode({ ...noSkb, ...fields });
}

/** struct xdp_md as a test run takes it. */
export interface XdpContext {
  /** Bytes of metadata before the packet. */
  data: number;
  /** Where the packet ends: the length of the data given. */
  dataEnd: number;
  dataMeta: number;
  ingressIfindex: number;
  rxQueueIndex: number;
}

/** struct xdp_md, 24 bytes. */
export const xdpContextCodec: Codec<XdpContext> = struct<XdpContext>(24, [
  ['data', 0, u32],
  ['dataEnd', 4, u32],
  ['dataMeta', 8, u32],
  ['ingressIfindex', 12, u32],
  ['rxQueueIndex', 16, u32],
]);

/** TestRunOptions.ctx for an xdp program. */
export function xdpContext(fields: Partial<XdpContext> & { dataEnd: number }): Uint8Array {
  return xdpContextCodec.encode({ data: 0, dataMeta: 0, ingressIfindex: 0, rxQueueIndex: 0, ...fields });
}
