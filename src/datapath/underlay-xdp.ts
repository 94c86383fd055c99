/*
 * underlay_filter, or underlay_deliver in its place, on the underlay device: attached, moved, mended and taken off. The
 * datapath does without them at any time, so that nothing here fails: what stands in the way becomes a reason.
 *
 * Attaching native XDP makes some drivers restart their queues. It is therefore not tried again each minute: after a
 * refusal only for another device or MTU, or when somebody else's program, which was in the way, has gone.
 */
import { BpfError, type BpfMap, type BpfProgram, u32 } from 'libbpf-ts-bindings';
import { parseMac } from '../model/addresses.js';
import type { Underlay } from '../net/underlay.js';
import { type XdpDevice, xdpDevice } from '../net/xdp.js';
import { isGone, type PinnedLinks, type XdpMode } from './links.js';
import { underlayDeviceCodec } from './types.gen.js';
import {
  chooseXdp,
  isForeign,
  refusal,
  XDP_PROGRAMS,
  type XdpOption,
  type XdpProgramName,
} from './xdp-choice.js';

export interface XdpState {
  readonly option: XdpOption;
  /** null: it does not run. */
  readonly mode: XdpMode | null;
  /** Why not; null where it runs. */
  readonly reason: string | null;
}

export interface UnderlayXdpParts {
  readonly links: PinnedLinks;
  readonly programs: Readonly<Record<XdpProgramName, BpfProgram>>;
  /** underlay_device. */
  readonly device: BpfMap;
  readonly option: XdpOption;
  /** See `chooseXdp`. */
  readonly deliverOnVeth: boolean;
}

export class UnderlayXdp {
  readonly #parts: UnderlayXdpParts;
  /** The one that the option asks for. */
  readonly #wanted: XdpProgramName;
  #underlay: Underlay | undefined;
  #state: XdpState;
  /** What was in the way may go: somebody else's program, or something that has nothing to do with XDP. */
  #waits = false;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(parts: UnderlayXdpParts) {
    this.#parts = parts;
    this.#wanted = parts.option === 'deliver' ? 'underlay_deliver' : 'underlay_filter';
    this.#state = { option: parts.option, mode: null, reason: 'it has not been attached yet' };
  }

  get state(): XdpState {
    return this.#state;
  }

  /** Containers' interfaces are to be made ready for frames without an skb. */
  get delivers(): boolean {
    return this.#parts.option === 'deliver';
  }

  /** Name and ifindex of the link that there should be. */
  get link(): readonly [XdpProgramName, number] | undefined {
    if (this.#state.mode === null || this.#underlay === undefined) return undefined;
    return [this.#wanted, this.#underlay.ifindex];
  }

  /** Goes to this device. To be called again whenever something about it may have changed. */
  follow(underlay: Underlay): Promise<void> {
    return this.#inTurn(async () => {
      const before = this.#underlay;
      this.#underlay = underlay;
      const isOther = before?.ifindex !== underlay.ifindex || before.mtu !== underlay.mtu;
      if (isOther) await this.#settle(underlay);
      else await this.#mend(); // its MAC may be another
    });
  }

  /** Attaches again what somebody detached. True when that was so. */
  mend(): Promise<boolean> {
    return this.#inTurn(() => this.#mend());
  }

  /** The host's changes and the minute's check come when they like, and each attachment is such a change. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined); // who asked is told
    return done;
  }

  async #mend(): Promise<boolean> {
    const [underlay, { mode }] = [this.#underlay, this.#state];
    if (underlay === undefined || (mode === null && !this.#waits)) return false;
    return this.#settle(underlay);
  }

  /** True when something was attached. */
  async #settle({ device: ifname, ifindex }: Underlay): Promise<boolean> {
    const { links, programs, option, deliverOnVeth } = this.#parts;
    const name = this.#wanted;
    this.#waits = false;
    let device: XdpDevice | undefined;
    try {
      device = await xdpDevice(ifname);
      const { mode, reason } = chooseXdp(option, device, deliverOnVeth);
      for (const other of XDP_PROGRAMS) if (other !== name) links.remove(other); // there is room for one
      if (mode === null || this.#runsIn(device, ifindex) !== mode) links.remove(name);
      this.#state = { option, mode, reason };
      if (mode === null || device.mac === undefined) return false;
      this.#parts.device.update(u32.encode(0), underlayDeviceCodec.encode({ mac: parseMac(device.mac) }));
      return await links.ensure(name, programs[name], ifindex, mode);
    } catch (error) {
      this.#refused(error, device);
      return false;
    }
  }

  /** How our link on that device runs: a pinned link does not tell, the device does. */
  #runsIn({ programs }: XdpDevice, ifindex: number): string | undefined {
    const link = this.#parts.links.find(this.#wanted);
    return link.ifindex === ifindex ? programs.find(({ id }) => id === link.programId)?.mode : undefined;
  }

  #refused(error: unknown, device: XdpDevice | undefined): void {
    const { option, mode } = this.#state;
    const code = error instanceof BpfError ? error.code : undefined;
    const isKnown = device !== undefined && mode !== null && code !== undefined && !isGone(error);
    const message = error instanceof Error ? error.message : String(error);
    this.#state = { option, mode: null, reason: isKnown ? refusal(code, mode, device) : message };
    this.#waits = !isKnown || isForeign(code);
  }
}
