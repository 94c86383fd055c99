import { misuse } from './error.js';
import { features } from './features.js';
import { type ClsactArguments, type LinkArguments, type NativeLink, native } from './native.js';
import type { BpfProgram } from './program.js';
import type { Direction, LinkInfo, TcxEntry } from './types.js';

/** Where to stand among the programs of a tcx or netkit hook. */
export type TcxPosition =
  | 'first'
  | 'last'
  | { before: BpfLink | BpfProgram }
  | { after: BpfLink | BpfProgram };

export interface AttachTcOptions {
  ifindex: number;
  direction: Direction;
  /** Path of the device's network namespace (/run/netns/NAME, /proc/PID/ns/net); the caller's own by default. */
  netns?: string;
  /** auto: tcx (since Linux 6.6), and clsact where the kernel has no tcx. */
  mode?: 'auto' | 'tcx' | 'clsact';
  /** tcx only; last by default. */
  position?: TcxPosition;
  /** clsact only: filters of lower priority run first; the kernel chooses by default. */
  priority?: number;
  /** clsact only: with priority it names a filter; the kernel chooses by default. */
  handle?: number;
  /** clsact only: replace the filter of this priority and handle instead of failing with EEXIST. */
  replace?: boolean;
}

export interface AttachXdpOptions {
  ifindex: number;
  /** native runs in the driver, generic in the stack; auto takes native where the driver can. */
  mode?: 'native' | 'generic' | 'auto';
  /** Path of the device's network namespace. */
  netns?: string;
}

/**
 * A program on a device, owned by this object: close() takes it off again, unless it is pinned.
 *
 * tcx, netkit and XDP links are kernel objects, so the kernel itself detaches when the process dies. A clsact filter is not:
 * it stays when the process is killed before close(), and its pin only records where it is (removing that file by
 * hand detaches nothing; open it, unpin() and close()).
 */
export class BpfLink {
  readonly kind: 'tcx' | 'netkit' | 'clsact' | 'xdp' | 'cgroup' | (string & {});
  readonly #native: NativeLink;

  /** @internal Use attachTc(), attachNetkit(), attachXdp(), attachCgroup(), openPinned() or fromId(). */
  constructor(handle: NativeLink) {
    this.#native = handle;
    this.kind = handle.info().type;
  }

  /** Opens a pinned link. `netns` is needed for clsact filters of another namespace (EXDEV tells). */
  static openPinned(path: string, options: { netns?: string } = {}): BpfLink {
    return new BpfLink(native.linkFromPinned(path, options.netns));
  }

  /** Opens a kernel link by its id. */
  static fromId(id: number): BpfLink {
    return new BpfLink(native.linkFromId(id));
  }

  /** @internal */
  get native(): NativeLink {
    return this.#native;
  }

  info(): LinkInfo {
    return this.#native.info();
  }

  /** Where this object has pinned itself or was opened from. */
  get pinPath(): string | undefined {
    return this.#native.pinPath();
  }

  /** Pins at `path` on a mounted bpffs: from now on the program outlives close() and the process. */
  pin(path: string): void {
    this.#native.pin(path);
  }

  /** Removes the pin: from now on close() detaches. */
  unpin(): void {
    this.#native.unpin();
  }

  /** Replaces the program without a gap: every packet meets the old one or the new one. */
  update(program: BpfProgram): void {
    this.#native.update(program.native);
  }

  /** Takes the program off the device now, pinned or not. */
  detach(): void {
    this.#native.detach();
  }

  /** Lets go: detaches unless pinned. Twice is fine. */
  close(): void {
    this.#native.close();
  }
}

type Place = [position?: 'before' | 'after', anchor?: BpfLink['native'] | BpfProgram['native']];

/** @internal */
export function placeOf(position: TcxPosition | undefined): Place {
  if (position === undefined) return [];
  if (position === 'first') return ['before'];
  if (position === 'last') return ['after'];
  if ('before' in position) return ['before', position.before.native];
  return ['after', position.after.native];
}

/**
 * Attaches a sched_cls program to a device. Errors: ENODEV; EEXIST when this very program is on the tcx hook already, or
 * when another clsact filter has the priority and handle; EINVAL for a program of another type or where tcx was asked
 * for and the kernel has none; ENOENT for a namespace that is not there.
 *
 * With tcx the kernel waits until no packet sees the hook as it was, 8-15 ms.
 */
export function attachTc(program: BpfProgram, options: AttachTcOptions): BpfLink {
  const how = tcArguments(program, options);
  return new BpfLink(how.tcx ? native.attachLink(...how.tcx) : native.attachClsact(...how.clsact));
}

/** As `attachTc`, waiting on another thread. The program may be closed meanwhile. */
export async function attachTcAsync(program: BpfProgram, options: AttachTcOptions): Promise<BpfLink> {
  const how = tcArguments(program, options);
  return new BpfLink(
    await (how.tcx ? native.attachLinkAsync(...how.tcx) : native.attachClsactAsync(...how.clsact)),
  );
}

type TcArguments =
  | { readonly tcx: LinkArguments }
  | { readonly tcx?: undefined; readonly clsact: ClsactArguments };

function tcArguments(program: BpfProgram, options: AttachTcOptions): TcArguments {
  const { ifindex, direction, netns, mode = 'auto', handle = 0, priority = 0, replace = false } = options;
  if (mode !== 'auto' && mode !== 'tcx' && mode !== 'clsact') {
    throw misuse('attach program', `mode ${String(mode)} is none of auto, tcx, clsact`);
  }
  if (mode === 'tcx' || (mode === 'auto' && features.tcx())) {
    return { tcx: [program.native, ifindex, direction, netns, ...placeOf(options.position)] };
  }
  return { clsact: [program.native, ifindex, direction, netns, handle, priority, replace] };
}

/**
 * Attaches an xdp program to a device (since Linux 5.9). EBUSY: there is one already; EEXIST: there is one in another mode;
 * EOPNOTSUPP: no native XDP. Some drivers restart their queues for it, which takes a while.
 */
export function attachXdp(program: BpfProgram, options: AttachXdpOptions): BpfLink {
  return new BpfLink(
    native.attachXdp(program.native, options.ifindex, options.mode ?? 'auto', options.netns),
  );
}

/** As `attachXdp`, waiting on another thread. The program may be closed meanwhile. */
export async function attachXdpAsync(program: BpfProgram, options: AttachXdpOptions): Promise<BpfLink> {
  const { ifindex, mode = 'auto', netns } = options;
  return new BpfLink(await native.attachXdpAsync(program.native, ifindex, mode, netns));
}

export interface AttachCgroupOptions {
  /** Directory of a cgroup v2; all groups below it are included. */
  cgroup: string;
  /** As in the name of the program's section, behind `cgroup/`: connect4, sendmsg4, recvmsg4, getpeername4, … */
  hook: string;
}

/**
 * Attaches a program to a cgroup (since Linux 5.7), beside those that are there. Errors: EINVAL for a hook that there is
 * not, or another than the program was loaded for; ENOENT, ENOTDIR; EBADF for a directory that is no cgroup v2.
 */
export function attachCgroup(program: BpfProgram, { cgroup, hook }: AttachCgroupOptions): BpfLink {
  return new BpfLink(native.attachCgroup(program.native, cgroup, hook));
}

/** The programs of a tcx hook in the order in which they run (since Linux 6.6). */
export function listTcx(options: { ifindex: number; direction: Direction; netns?: string }): TcxEntry[] {
  return native.listPrograms(options.ifindex, options.direction, options.netns);
}
