/*
 * Attachments of programs to devices. Each is pinned under a name, and the pin is all that keeps it: no descriptor
 * stays open, so thousands of endpoints cost the agent nothing.
 *
 * Changing what runs on a device makes the kernel wait until no packet sees the old (8-15 ms with tcx). Nobody waits
 * for that on the event loop: attaching does it on another thread, and what lost its last pin the kernel detaches in
 * its own time.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  attachNetkitAsync,
  attachTcAsync,
  attachXdpAsync,
  BpfError,
  BpfLink,
  type BpfProgram,
  features,
  interfaceIndex,
  type LinkInfo,
} from 'libbpf-ts-bindings';
import { PlaitError } from '../model/errors.js';
import { isBpffs } from '../net/bpffs.js';
import type { HostEnd } from '../net/veth.js';
import { type Pins, unpin } from './pins.js';

/** auto: tcx, and clsact where the kernel has none (before 6.6). Tests name the other one. */
export type AttachMode = 'auto' | 'tcx' | 'clsact';

/** In the driver, or in the stack. */
export type XdpMode = 'native' | 'generic';

/**
 * A clsact filter outlives the process that made it, so one that was killed before it could pin must be replaced and
 * not doubled: its place is always the same. One priority holds filters of one kind and protocol only, so where somebody
 * else's are of another, the next priority is taken. If those come or go while a filter of ours has no pin, ours is put
 * at another priority than before, and the one before is nobody's: only `tc filter del` removes it.
 */
const CLSACT_PLACE = { handle: 0x504c, replace: true } as const;
const CLSACT_PRIORITIES = [1, 2, 3, 4, 5, 6, 7, 8] as const;

export interface PinnedLink {
  readonly name: string;
  /** 0: the device is gone. */
  readonly ifindex: number;
  readonly programId: number;
}

export class PinnedLinks {
  readonly #pins: Pins;
  readonly #mode: AttachMode;

  constructor(pins: Pins, mode: AttachMode = 'auto') {
    this.#pins = pins;
    this.#mode = mode;
  }

  /**
   * Makes the link `name` run this program on that device. One that does already is left alone; one with another
   * program is switched over without a gap; one on another device is replaced. False when nothing was to be done.
   *
   * `xdp` is for XDP programs. EBUSY, EEXIST: somebody else's is on the device, and stays.
   */
  async ensure(
    name: string,
    program: BpfProgram,
    ifindex: number,
    xdp: XdpMode = 'native',
  ): Promise<boolean> {
    const link = this.#open(name);
    if (link) {
      try {
        const info = link.info();
        if (deviceOf(name, info) === ifindex) {
          if (info.programId === program.id) return false;
          link.update(program);
          return true;
        }
      } finally {
        link.close();
      }
    }
    this.remove(name); // what is elsewhere, and a pin that opens nothing any more
    const attached =
      program.type === 'xdp'
        ? await attachXdpAsync(program, { ifindex, mode: xdp })
        : await attachTo(program, name, ifindex, this.#mode);
    try {
      attached.pin(this.#pins.link(name));
      return true;
    } catch (error) {
      attached.detach();
      throw await explained(error, this.#pins);
    } finally {
      attached.close();
    }
  }

  /** Detaches and unpins. False when there was no such link. */
  remove(name: string): boolean {
    return this.#remove(name, () => true);
  }

  /** As `remove`, but the kernel may take some milliseconds more to detach. */
  release(name: string): boolean {
    return this.#remove(name, ({ kind }) => kind === 'clsact'); // a filter stays until somebody takes it away
  }

  #remove(name: string, mustDetach: (link: BpfLink) => boolean): boolean {
    const link = this.#open(name);
    try {
      if (link && mustDetach(link)) link.detach();
    } catch (error) {
      if (!isGone(error)) throw error;
    } finally {
      link?.close();
    }
    return unpin(this.#pins.link(name));
  }

  /** What is pinned, as the kernel knows it. */
  list(): PinnedLink[] {
    return this.#pins.links().map((name) => this.find(name));
  }

  /** As it is; without ifindex and program where there is none. */
  find(name: string): PinnedLink {
    const link = this.#open(name);
    try {
      const info = link?.info();
      return { name, ifindex: info ? deviceOf(name, info) : 0, programId: info?.programId ?? 0 };
    } finally {
      link?.close();
    }
  }

  /** Undefined when there is none, its device is gone so that nothing is left to open, or the pin is no link. */
  #open(name: string): BpfLink | undefined {
    try {
      return BpfLink.openPinned(this.#pins.link(name));
    } catch (error) {
      if (isGone(error) || isUnusable(error)) return undefined;
      throw error;
    }
  }
}

/** from_container on the host ends of this node's endpoints. */
export class EndpointLinks {
  readonly #links: PinnedLinks;
  readonly #program: BpfProgram;
  readonly #attached = new Map<string, number>();
  readonly #names = new Map<number, string>();

  constructor(links: PinnedLinks, program: BpfProgram) {
    this.#links = links;
    this.#program = program;
    for (const { name, ifindex } of links.list()) {
      if (isHostEnd(name)) this.#note(name, ifindex);
    }
  }

  /** The container can send when this is done. Idempotent. */
  async attach(ifname: string, ifindex: number): Promise<void> {
    if (this.#attached.get(ifname) === ifindex) return;
    await this.#links.ensure(ifname, this.#program, ifindex);
    this.#note(ifname, ifindex);
  }

  /** Attaches again what somebody detached, where the device is still there. Returns how many links that were. */
  async mend(): Promise<number> {
    let mended = 0;
    for (const { ifname, ifindex } of this.list()) {
      if (await mendLink(() => this.#links.ensure(ifname, this.#program, ifindex))) mended += 1;
    }
    return mended;
  }

  /** False when there was no such link. The last frames may still be on their way. */
  detach(ifname: string): boolean {
    this.#names.delete(this.#attached.get(ifname) ?? 0);
    this.#attached.delete(ifname);
    return this.#links.release(ifname);
  }

  list(): HostEnd[] {
    return [...this.#attached].map(([ifname, ifindex]) => ({ ifname, ifindex }));
  }

  nameOf(ifindex: number): string | undefined {
    return this.#names.get(ifindex);
  }

  #note(ifname: string, ifindex: number): void {
    this.#attached.set(ifname, ifindex);
    this.#names.set(ifindex, ifname);
  }

  /** Removes the pins of host ends that exist no more, and returns their names. */
  dropStale(): string[] {
    const stale = this.#links.list().filter(({ name, ifindex }) => isHostEnd(name) && ifindex === 0);
    for (const { name } of stale) this.detach(name);
    return stale.map(({ name }) => name);
  }
}

/** As `ensure`; a device that is gone, or going, has no link to mend. */
export async function mendLink(ensure: () => Promise<boolean>): Promise<boolean> {
  try {
    return await ensure();
  } catch (error) {
    if (isGone(error)) return false;
    throw error;
  }
}

const RETRY_MS = 5;
const RETRIES = 100;

/** EEXIST: a link of this program that was released a moment ago is not gone yet. */
async function attachTo(
  program: BpfProgram,
  name: string,
  ifindex: number,
  mode: AttachMode,
): Promise<BpfLink> {
  for (let left = RETRIES; ; left--) {
    try {
      const netkit = isHostEnd(name) ? await attachToNetkit(program, ifindex) : undefined;
      return netkit ?? (await attachFirst(program, ifindex, mode));
    } catch (error) {
      if (!(error instanceof BpfError) || error.code !== 'EEXIST' || left === 0) throw error;
    }
    await sleep(RETRY_MS);
  }
}

/** Undefined when the device is no netkit (ENXIO): what a host end is, only the kernel knows for certain. */
async function attachToNetkit(program: BpfProgram, ifindex: number): Promise<BpfLink | undefined> {
  if (!features.netkit()) return undefined;
  try {
    return await attachNetkitAsync(program, { ifindex, end: 'peer', position: 'first' });
  } catch (error) {
    if (error instanceof BpfError && error.code === 'ENXIO') return undefined;
    throw error;
  }
}

/** The device here of a link. That of a netkit names the end inside, whose host end the link is called after. */
function deviceOf(name: string, { type, ifindex }: LinkInfo): number {
  if (type !== 'netkit' || ifindex === 0) return ifindex;
  try {
    return interfaceIndex(name);
  } catch (error) {
    if (isGone(error)) return 0;
    throw error;
  }
}

/**
 * In front of whoever is there: what is not ours goes on to them, and what is ours no verdict of theirs keeps from us.
 * EINVAL of clsact: the priority is taken by filters of another kind, and ours stand behind those.
 */
async function attachFirst(program: BpfProgram, ifindex: number, mode: AttachMode): Promise<BpfLink> {
  const where = { ifindex, direction: 'ingress', mode, position: 'first', ...CLSACT_PLACE } as const;
  for (const priority of CLSACT_PRIORITIES) {
    try {
      return await attachTcAsync(program, { ...where, priority });
    } catch (error) {
      if (!(error instanceof BpfError) || error.code !== 'EINVAL' || usesTcx(mode)) throw error;
      if (priority === CLSACT_PRIORITIES.length) throw error;
    }
  }
  throw new Error('unreachable: the last priority throws');
}

const usesTcx = (mode: AttachMode): boolean => mode === 'tcx' || (mode === 'auto' && features.tcx());

/** Nobody expects that the pins' file system is unmounted under a running agent; what the kernel says then is no help. */
async function explained(error: unknown, { root }: Pins): Promise<unknown> {
  if (await isBpffs(root)) return error;
  return new PlaitError('PINS_GONE', `pin link: no bpffs is mounted on ${root} any more`, {
    hint: 'restart the agent: it mounts one, and attaches everything again',
    cause: error,
  });
}

export function isHostEnd(name: string): boolean {
  return /^pl[0-9a-f]{11}$/.test(name);
}

/** EINVAL: another kind of object, or a clsact record without content. A filter behind it is found by its place. */
function isUnusable(error: unknown): boolean {
  return error instanceof BpfError && error.code === 'EINVAL';
}

/** ENOLINK: the device of a link went away. */
export function isGone(error: unknown): boolean {
  return error instanceof BpfError && ['ENOENT', 'ENODEV', 'ENOLINK'].includes(error.code);
}
