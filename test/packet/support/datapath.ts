/*
 * The programs, loaded with maps of their own (nothing is pinned), and one way to run them: a frame goes in; the
 * verdict, the frame that came out and what was counted come back. bpf_redirect has no effect in a test run, so where
 * a frame would have gone is told by the event that was counted.
 */
import { fileURLToPath } from 'node:url';
import {
  type BpfObject,
  type BpfProgram,
  features,
  openObject,
  skbContext,
  type TestRunOptions,
  u32,
  xdpContext,
} from 'libbpf-ts-bindings';
import * as assert from 'uvu/assert';
import {
  type Addr,
  addrCodec,
  counterCodec,
  dropReasonNames,
  EndpointFlags,
  endpointCodec,
  eventNames,
  fdbEntryCodec,
  fdbKeyCodec,
  neighborCodec,
  neighborKeyCodec,
  networkCodec,
  senderCodec,
  senderKeyCodec,
  subnetCodec,
  subnetKeyCodec,
  type Traffic,
  trafficCodec,
  underlayDeviceCodec,
  VtepFlags,
  vtepCodec,
} from '../../../src/datapath/types.gen.js';
import { alice, bob, carol, dave, erin, gateway, MTU, node, PORT, peer, SECRET_VNI, VNI } from './actors.js';
import { ip, mac } from './bytes.js';

export type Program =
  | 'from_container'
  | 'from_underlay'
  | 'from_host'
  | 'from_vxlan'
  | 'underlay_filter'
  | 'underlay_deliver';
export type Verdict = 'next' | 'drop' | 'redirect';

export interface Run {
  verdict: Verdict;
  out: Buffer;
  /** Names of the reasons, once per frame. */
  drops: string[];
  events: string[];
}

export interface RunOptions {
  gsoSize?: number;
  /** As many as it takes, when left out. */
  gsoSegs?: number;
  ifindex?: number;
  mark?: number;
  /** Inside a netkit's transmission, instead of behind a reception. */
  transmitting?: boolean;
  netns?: string;
  /** A program that goes on to the one that is named. */
  entry?: BpfProgram;
}

const OBJECT = fileURLToPath(new URL('../../../bpf/plait.bpf.o', import.meta.url));
const TC_VERDICTS = new Map<number, Verdict>([
  [0xffffffff, 'next'],
  [2, 'drop'],
  [7, 'redirect'],
]);
const XDP_VERDICTS = new Map<number, Verdict>([
  [1, 'drop'],
  [2, 'next'],
  [4, 'redirect'],
]);

export const isXdp = (program: Program): boolean => program.startsWith('underlay_');

const MAPPED = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]);
/** IPv4 addresses as ::ffff:a.b.c.d. */
export const addr = (text: string): Addr => {
  const bytes = ip(text);
  return addrCodec.decode(bytes.length === 4 ? Buffer.concat([MAPPED, bytes]) : bytes);
};
const NO_ADDR: Addr = { w: [0, 0, 0, 0] };

export class TestDatapath {
  readonly #object: BpfObject;

  private constructor(object: BpfObject) {
    this.#object = object;
  }

  /** With the actors in its maps. */
  static async load(options: Record<string, number | boolean> = {}): Promise<TestDatapath> {
    const object = openObject(OBJECT);
    object.setRodata({
      vxlan_port: PORT,
      vtep_addr4: ip(node.ip4),
      vtep_addr6: ip(node.ip6),
      decap_l3_flags: features.decapL3(),
      plait0_ifindex: 1,
      vxlan_ifindex: 1,
      ...options,
    });
    await object.load();
    const datapath = new TestDatapath(object);
    datapath.#fill();
    return datapath;
  }

  close(): void {
    this.#object.close();
  }

  map(name: string): ReturnType<BpfObject['map']> {
    return this.#object.map(name);
  }

  program(name: Program): BpfProgram {
    return this.#object.program(name);
  }

  verifiedInstructions(program: Program): number {
    return this.program(program).verifiedInstructions;
  }

  /** What a test run of the program takes. */
  input(program: Program, data: Uint8Array, options: RunOptions = {}): TestRunOptions {
    const { gsoSize = 0, ifindex = alice.ifindex, mark = 0, transmitting = false, netns } = options;
    const ingressIfindex = transmitting ? 0 : ifindex;
    const { gsoSegs = gsoSize && Math.ceil(data.length / gsoSize) } = options;
    return {
      data,
      ctx: isXdp(program)
        ? xdpContext({ dataEnd: data.length, ingressIfindex: ifindex })
        : skbContext({ ifindex, ingressIfindex, mark, gsoSize, gsoSegs }),
      ...(netns && { netns }),
    };
  }

  run(program: Program, data: Uint8Array, options: RunOptions = {}): Run {
    const before = [this.#counts('drops', dropReasonNames), this.#counts('events', eventNames)] as const;
    const result = (options.entry ?? this.program(program)).testRun(this.input(program, data, options));
    const verdict = (isXdp(program) ? XDP_VERDICTS : TC_VERDICTS).get(result.retval);
    assert.ok(verdict, `unexpected return value ${result.retval}`);
    return {
      verdict,
      out: result.data,
      drops: difference(before[0], this.#counts('drops', dropReasonNames)),
      events: difference(before[1], this.#counts('events', eventNames)),
    };
  }

  /** All CPUs together. */
  traffic(map: 'endpoint_counters' | 'vtep_counters', slot: number): Omit<Traffic, 'outerId'> {
    const perCpu = this.map(map).typedPerCpu(u32, trafficCodec).get(slot) ?? [];
    const sum = (field: keyof Traffic): bigint => perCpu.reduce((total, cpu) => total + cpu[field], 0n);
    return {
      rxPackets: sum('rxPackets'),
      rxBytes: sum('rxBytes'),
      txPackets: sum('txPackets'),
      txBytes: sum('txBytes'),
      drops: sum('drops'),
    };
  }

  setEndpoint(flags: number, vni = VNI, ifindex = alice.ifindex): void {
    this.map('endpoints').update(
      u32.encode(ifindex),
      endpointCodec.encode({
        ...{ vni, slot: alice.slot, flags, mtu: MTU, mac: mac(alice.mac) },
        ip4: ip(alice.ip4).readUInt32BE(),
        ip6: addr(alice.ip6),
        linkLocal: addr(alice.linkLocal),
      }),
    );
  }

  #counts(map: string, names: readonly string[]): Map<string, bigint> {
    const counters = this.map(map).typedPerCpu(u32, counterCodec);
    return new Map(
      names.map((name, i) => [name, (counters.get(i) ?? []).reduce((total, cpu) => total + cpu.packets, 0n)]),
    );
  }

  #fill(): void {
    this.setEndpoint(0);
    const networks = this.map('networks').typed(u32, networkCodec);
    networks.set(VNI, { flags: 0, mtu: MTU, gateway4: addr(gateway.ip4), gateway6: addr(gateway.ip6) });
    networks.set(SECRET_VNI, {
      flags: EndpointFlags.INTERNAL,
      mtu: MTU,
      gateway4: NO_ADDR,
      gateway6: NO_ADDR,
    });

    const fdb = this.map('fdb').typed(fdbKeyCodec, fdbEntryCodec);
    for (const vni of [VNI, SECRET_VNI]) {
      for (const { mac: at, ifindex, slot } of [alice, bob])
        fdb.set({ vni, mac: mac(at) }, { ifindex, slot });
      for (const { mac: at, vtep } of [carol, dave, erin])
        fdb.set({ vni, mac: mac(at) }, { ifindex: 0, slot: vtep });
    }
    const neighbors = this.map('neighbors').typed(neighborKeyCodec, neighborCodec);
    for (const one of [alice, bob, carol, dave, { ...gateway, linkLocal: gateway.ip6 }]) {
      for (const address of [one.ip4, one.ip6, one.linkLocal]) {
        neighbors.set({ vni: VNI, addr: addr(address) }, { mac: mac(one.mac) });
      }
    }
    const subnets = this.map('subnets').typed(subnetKeyCodec, subnetCodec);
    subnets.set({ prefixLen: 96 + 24, addr: addr('10.10.0.0') }, { vni: VNI });
    subnets.set({ prefixLen: 64, addr: addr('fd00:10::') }, { vni: VNI });
    this.map('underlay_device')
      .typed(u32, underlayDeviceCodec)
      .set(0, { mac: mac(node.mac) });
    this.#fillVteps();
  }

  #fillVteps(): void {
    const vteps = this.map('vteps').typed(u32, vtepCodec);
    const senders = this.map('senders').typed(senderKeyCodec, senderCodec);
    const families = [
      { vtep: carol.vtep, flags: VtepFlags.VALID, mtu: MTU, remote: peer.ip4, local: node.ip4 },
      {
        vtep: dave.vtep,
        flags: VtepFlags.VALID | VtepFlags.IPV6,
        mtu: MTU - 20,
        remote: peer.ip6,
        local: node.ip6,
      },
    ];
    for (const { vtep, flags, mtu, remote, local } of families) {
      const path = { remote: addr(remote), local: addr(local), nextHop: addr(remote) };
      vteps.set(vtep, { flags, ifindex: 1, mtu, ...path });
      for (const vni of [VNI, SECRET_VNI]) senders.set({ vni, addr: addr(remote) }, { vtep });
    }
  }
}

function difference(before: Map<string, bigint>, after: Map<string, bigint>): string[] {
  return [...after].flatMap(([name, count]) =>
    Array<string>(Number(count - (before.get(name) ?? 0n))).fill(name),
  );
}
