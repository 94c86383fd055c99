/** Which packets of a device: those it receives or those it sends. */
export type Direction = 'ingress' | 'egress';

/** Which end of a netkit pair: the one that was created, or the other. */
export type NetkitEnd = 'primary' | 'peer';

/** Which elements an update may touch: any, only missing ones (else EEXIST), only existing ones (else ENOENT). */
export type UpdateMode = 'any' | 'noexist' | 'exist';

export interface LinkInfo {
  /** tcx, netkit, clsact, xdp, or the kernel's name for other types. */
  type: string;
  /** Kernel id of the link; 0 for clsact filters, which have none. */
  id: number;
  /** Id of the program that runs; 0 when a clsact filter was removed behind our back. */
  programId: number;
  /**
   * 0 after detach, or when the device is gone. Of netkit: of the end that transmits, so that of a peer's program is an
   * ifindex in the peer's network namespace and not the one that was given.
   */
  ifindex: number;
  direction?: Direction;
  /** netkit only. */
  end?: NetkitEnd;
  /** clsact only. */
  handle?: number;
  /** clsact only: lower runs first. */
  priority?: number;
}

export interface ProgramInfo {
  id: number;
  /** At most 15 characters. */
  name: string;
  /** SHA-1 based fingerprint of the instructions, 16 hex digits. */
  tag: string;
  /** As libbpf names it: sched_cls, xdp, … */
  type: string;
  /** Instructions the verifier walked through (since Linux 5.16; 0 before). */
  verifiedInstructions: number;
  /** Zero unless sysctl kernel.bpf_stats_enabled is 1. */
  runTimeNs: bigint;
  /** Zero unless sysctl kernel.bpf_stats_enabled is 1. */
  runCount: bigint;
  /** Ids of the maps that it uses. */
  mapIds: number[];
}

export interface TcxEntry {
  programId: number;
  /** 0 when the program was attached without a link. */
  linkId: number;
}
