import { skbContext, xdpContext } from './context.js';
import { type NativeProgram, native } from './native.js';
import type { ProgramInfo } from './types.js';

export interface TestRunOptions {
  /** The packet, from its Ethernet header; the kernel wants at least 14 bytes for skb and XDP programs. */
  data: Uint8Array;
  /** Runs in a row, 1 by default. The packet is not reset in between: each run sees what the one before left. */
  repeat?: number;
  /** struct __sk_buff (skbContext()) or struct xdp_md (xdpContext()); wins over ifindex. */
  ctx?: Uint8Array;
  /** The device that it seems to come from; short for a ctx that says just that. */
  ifindex?: number;
  /** Room for the packet that comes out, in bytes; 512 more than went in by default, 0 to drop it. */
  dataOutSize?: number;
  /** Network namespace in which ifindex numbers and redirects are looked up. */
  netns?: string;
  /**
   * XDP only: the frames are real ones. What the program passes is received on the context's device, what it redirects
   * or transmits goes out: a generator of packets, at the speed of XDP. A frame's memory is used again, with the bytes
   * that the run before left in it. Nothing comes back but the time; `retval` is 0. (Since Linux 5.18.)
   */
  live?: boolean;
  /** With `live`: frames that are under way at a time, 1 to 256; 64 by default. */
  batchSize?: number;
}

export interface TestRunResult {
  /** What the program returned, as an unsigned 32-bit number. */
  retval: number;
  /** Mean time of one run, ns. */
  durationNs: number;
  /** The packet afterwards. */
  data: Buffer;
  /** The context afterwards, when one was given. */
  ctx?: Buffer;
}

const growth = 512;

/** A loaded program, by a descriptor that this object owns. */
export class BpfProgram {
  readonly id: number;
  /** At most 15 characters. */
  readonly name: string;
  readonly tag: string;
  readonly type: string;
  /** Instructions that the verifier walked through (since Linux 5.16; 0 before). */
  readonly verifiedInstructions: number;
  readonly #native: NativeProgram;

  /** @internal Use openPinned(), fromId() or BpfObject.program(). */
  constructor(handle: NativeProgram) {
    const info = handle.info();
    this.#native = handle;
    this.id = info.id;
    this.name = info.name;
    this.tag = info.tag;
    this.type = info.type;
    this.verifiedInstructions = info.verifiedInstructions;
  }

  static openPinned(path: string): BpfProgram {
    return new BpfProgram(native.programFromPinned(path));
  }

  static fromId(id: number): BpfProgram {
    return new BpfProgram(native.programFromId(id));
  }

  /** @internal */
  get native(): NativeProgram {
    return this.#native;
  }

  /** The descriptor, which stays this object's. */
  get fd(): number {
    return this.#native.fd();
  }

  /** Fresh from the kernel, with run counters and the maps it uses. */
  info(): ProgramInfo {
    return this.#native.info();
  }

  /** Runs the program on a packet, in the kernel, without a device (BPF_PROG_TEST_RUN). Blocks while it runs. */
  testRun(options: TestRunOptions): TestRunResult {
    const { data, repeat = 1, netns, live = false, batchSize = 0 } = options;
    const ctx = options.ctx ?? this.#contextOf(options);
    const room = options.dataOutSize ?? (live ? 0 : (data?.length ?? 0) + growth);
    return this.#native.testRun(data, ctx, repeat, room, netns, live, batchSize);
  }

  #contextOf({ data, ifindex }: TestRunOptions): Uint8Array | undefined {
    if (ifindex === undefined) return undefined;
    if (this.type !== 'xdp') return skbContext({ ifindex, ingressIfindex: ifindex });
    return xdpContext({ dataEnd: data.length, ingressIfindex: ifindex });
  }

  /** Pins at `path` on a mounted bpffs. */
  pin(path: string): void {
    this.#native.pin(path);
  }

  /** Closes the descriptor; twice is fine. The program lives on where it is pinned or attached. */
  close(): void {
    this.#native.close();
  }
}
