/* Whether an XDP program is to run on a device, which and how; and what a refusal means. Pure. */
import type { XdpDevice } from '../net/xdp.js';
import type { XdpMode } from './links.js';

/** native and generic: by all means. auto: native where it costs nothing else. deliver: native, and it delivers. */
export const XDP_OPTIONS = ['auto', 'native', 'generic', 'deliver', 'off'] as const;
export type XdpOption = (typeof XDP_OPTIONS)[number];

/** One of them at a time. */
export const XDP_PROGRAMS = ['underlay_filter', 'underlay_deliver'] as const;
export type XdpProgramName = (typeof XDP_PROGRAMS)[number];

export type XdpChoice =
  | { readonly mode: XdpMode; readonly reason: null }
  | { readonly mode: null; readonly reason: string };

/**
 * `deliverOnVeth` is for tests and benchmarks, whose underlays are veths with the senders' checksum offload off: without
 * that, containers would get frames whose checksum nobody has filled in.
 */
export function chooseXdp(option: XdpOption, device: XdpDevice, deliverOnVeth = false): XdpChoice {
  if (option === 'off') return no('as it was asked for');
  if (device.mac === undefined) return no(`${device.device} has no Ethernet headers`);
  if (option === 'deliver') return chooseDelivery(device, deliverOnVeth);
  if (option !== 'auto') return { mode: option, reason: null };
  if (device.kind === 'veth') {
    return no(`${device.device} is a veth: XDP there takes segmentation (TSO) from the other end`);
  }
  if (device.bus === 'virtio') {
    return no(`${device.device} is a virtio NIC: XDP there takes large packets (guest TSO) from all TCP`);
  }
  return { mode: 'native', reason: null };
}

/** On real and virtio NICs, and bonds of them: they have the checksums filled in before XDP sees a frame. */
function chooseDelivery({ device, kind }: XdpDevice, deliverOnVeth: boolean): XdpChoice {
  const hasChecksums = kind === undefined || kind === 'bond' || (kind === 'veth' && deliverOnVeth);
  if (hasChecksums) return { mode: 'native', reason: null };
  return no(`${device} is a ${kind}: frames come from it without their checksums, which XDP cannot fill in`);
}

const no = (reason: string): XdpChoice => ({ mode: null, reason });

/** Why the kernel refused; it tells more only to those who ask by netlink. */
export function refusal(code: string, mode: XdpMode, device: XdpDevice): string {
  const { device: name, mtu } = device;
  const [other] = device.programs;
  if (isForeign(code)) {
    return `${name} has another XDP program${other ? ` (id ${other.id})` : ''}, which stays`;
  }
  if (code === 'EOPNOTSUPP') {
    const what = device.kind === undefined ? 'driver' : `kind of device (${device.kind})`;
    return `the ${what} of ${name} has no ${mode} XDP`;
  }
  const usual = 'its MTU may be too big for XDP, its queues too few, or its large receive offload (LRO) on';
  return `${name} with MTU ${mtu} refuses ${mode} XDP (${code}): ${usual}`;
}

/** The place is taken, in the same mode or in another. */
export function isForeign(code: string): boolean {
  return code === 'EBUSY' || code === 'EEXIST';
}
