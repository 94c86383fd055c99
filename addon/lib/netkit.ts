import { BpfLink, placeOf, type TcxPosition } from './link.js';
import { type LinkArguments, native } from './native.js';
import type { BpfProgram } from './program.js';
import type { NetkitEnd, TcxEntry } from './types.js';

export interface AttachNetkitOptions {
  /** Of the primary, whichever end is meant. */
  ifindex: number;
  /** The end that transmits what the program sees. */
  end: NetkitEnd;
  /** Path of the primary's network namespace (/run/netns/NAME, /proc/PID/ns/net); the caller's own by default. */
  netns?: string;
  /** Last by default. */
  position?: TcxPosition;
}

/**
 * Attaches a sched_cls program to what one end of a netkit pair transmits (since Linux 6.7). It runs inside that
 * transmission, before the other end receives anything, and sees the packet with the other end as its device and
 * 0 as `ingress_ifindex`: `bpf_redirect_peer` does not work there, `bpf_redirect` and `bpf_redirect_neigh` do. Its
 * verdict is one of TC_ACT_OK, SHOT, REDIRECT, or UNSPEC for the next program; what the last one does not decide passes.
 * The pair's own policy is for the time without a program.
 *
 * Errors: ENXIO for a device that is no netkit; EACCES for an end that is not the primary; ENODEV; EEXIST when this
 * very program is there already; EINVAL for a program of another type, or where the kernel has no netkit.
 */
export function attachNetkit(program: BpfProgram, options: AttachNetkitOptions): BpfLink {
  return new BpfLink(native.attachLink(...argumentsOf(program, options)));
}

/** As `attachNetkit`, waiting for the kernel on another thread. The program may be closed meanwhile. */
export async function attachNetkitAsync(program: BpfProgram, options: AttachNetkitOptions): Promise<BpfLink> {
  return new BpfLink(await native.attachLinkAsync(...argumentsOf(program, options)));
}

/** The programs of one end in the order in which they run (since Linux 6.7). */
export function listNetkit(options: { ifindex: number; end: NetkitEnd; netns?: string }): TcxEntry[] {
  return native.listPrograms(options.ifindex, `netkit ${options.end}`, options.netns);
}

function argumentsOf(program: BpfProgram, options: AttachNetkitOptions): LinkArguments {
  const { ifindex, end, netns, position } = options;
  return [program.native, ifindex, `netkit ${end}`, netns, ...placeOf(position)];
}
