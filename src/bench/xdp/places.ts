/* Where bad VXLAN can be dropped, and good delivered: each place is set up, counts its packets, and is taken away again. */
import { attachTc, attachXdp, type BpfObject, openObject, u32 } from 'libbpf-ts-bindings';
import { Generation } from '../../datapath/generation.js';
import { OBJECT_PATH } from '../../datapath/loader.js';
import {
  addrCodec,
  counterCodec,
  EndpointFlags,
  endpointCodec,
  fdbEntryCodec,
  fdbKeyCodec,
  networkCodec,
  senderCodec,
  senderKeyCodec,
  underlayDeviceCodec,
} from '../../datapath/types.gen.js';
import { parseIp, parseMac, toAddr } from '../../model/addresses.js';
import { GENERATE_OBJECT } from './generator.js';
import { type BadPacket, CONTAINER, LISTED, type Packet, TARGET, VNI, v4 } from './packets.js';
import type { Stage } from './stage.js';

export interface Place<P extends Packet = Packet> {
  readonly name: string;
  readonly kind: 'nftables' | 'plait' | 'limit';
  /** Returns what takes it away. */
  setUp(packet: P): Promise<() => Promise<void>>;
  /** Packets that were dropped there, or delivered from there. */
  count(): Promise<number>;
}

export class Places {
  readonly #stage: Stage;
  readonly #datapath: BpfObject;
  readonly #plain: BpfObject;

  private constructor(stage: Stage, datapath: BpfObject, plain: BpfObject) {
    this.#stage = stage;
    this.#datapath = datapath;
    this.#plain = plain;
  }

  static async load(stage: Stage): Promise<Places> {
    const datapath = openObject(OBJECT_PATH);
    datapath.setRodata({ vtep_addr4: v4(TARGET.address) });
    await datapath.load();
    fill(datapath, stage.hostEnd);
    const plain = openObject(GENERATE_OBJECT);
    await plain.load();
    return new Places(stage, datapath, plain);
  }

  close(): void {
    this.#datapath.close();
    this.#plain.close();
  }

  drops(): Place<BadPacket>[] {
    const { device } = this.#stage;
    const ingress = `type filter hook ingress device ${device} priority -500;`;
    return [
      this.#nftables('nftables, prerouting (raw)', 'ip', 'type filter hook prerouting priority -300;'),
      this.#nftables('nftables, ingress of the device', 'netdev', ingress),
      this.#withoutGro(this.#nftables('nftables, the same without GRO', 'netdev', ingress)),
      this.#drop('from_underlay (tcx)', 'from_underlay'),
      this.#drop('underlay_filter (XDP)', 'underlay_filter'),
      this.#limit(),
    ];
  }

  deliveries(): Place[] {
    const late = this.#delivery('from_underlay (tcx)', 'from_underlay');
    return [
      late,
      this.#withoutGro({ ...late, name: 'from_underlay, the same without GRO' }),
      this.#delivery('underlay_deliver (XDP)', 'underlay_deliver'),
    ];
  }

  #nftables(name: string, family: 'ip' | 'netdev', hook: string): Place<BadPacket> {
    const stage = this.#stage;
    const nft = (...words: string[]): Promise<string> => stage.inside(['nft', ...words]);
    return {
      name,
      kind: 'nftables',
      setUp: async ({ match, set }) => {
        const chain = `chain drops { ${hook} policy accept; ${match} counter drop; }`;
        await stage.inside(['nft', '-f', '-'], `table ${family} bench {\n${set}\n${chain}\n}\n`);
        return async () => void (await nft('delete', 'table', family, 'bench'));
      },
      count: async () => Number(/packets (\d+)/.exec(await nft('list', 'table', family, 'bench'))?.[1]),
    };
  }

  /** GRO looks at each packet before nftables does; an XDP program that passes everything is what it takes to do without. */
  #withoutGro<P extends Packet>(place: Place<P>): Place<P> {
    const stage = this.#stage;
    return {
      ...place,
      setUp: async (packet) => {
        const link = this.#attach(this.#plain, 'pass_all');
        await stage.setGro('off');
        const takeAway = await place.setUp(packet);
        return async () => {
          await takeAway();
          link.close();
          await stage.setGro('on'); // in this order, or the device would have no NAPI
        };
      },
    };
  }

  #drop(name: string, program: 'from_underlay' | 'underlay_filter'): Place {
    const count = async (): Promise<number> => {
      const rows = this.#datapath.map('drops').typedPerCpu(u32, counterCodec);
      return [...rows].reduce(
        (sum, [, perCpu]) => perCpu.reduce((n, cpu) => n + Number(cpu.packets), sum),
        0,
      );
    };
    return { name, kind: 'plait', setUp: () => this.#run(program), count };
  }

  /** Nobody listens in the container: the last thing that is done with a packet is to sum it. */
  #delivery(name: string, program: 'from_underlay' | 'underlay_deliver'): Place {
    const count = async (): Promise<number> => {
      const printed = await this.#stage.inContainer(['nstat', '-asz', 'UdpNoPorts']);
      return Number(/UdpNoPorts +(\d+)/.exec(printed)?.[1]);
    };
    return { name, kind: 'plait', setUp: () => this.#run(program), count };
  }

  async #run(program: string): Promise<() => Promise<void>> {
    const link = this.#attach(this.#datapath, program);
    return async () => link.close();
  }

  /** What the device, the memory of the frames and the generator leave to anybody. */
  #limit(): Place {
    return {
      name: 'XDP that drops everything unseen',
      kind: 'limit',
      setUp: async () => {
        const link = this.#attach(this.#plain, 'drop_all');
        return async () => link.close();
      },
      count: async () => {
        const statistics = await this.#stage.inside(['ethtool', '-S', this.#stage.device]);
        return [...statistics.matchAll(/xdp_drops: (\d+)/g)].reduce((sum, [, n]) => sum + Number(n), 0);
      },
    };
  }

  #attach(object: BpfObject, name: string): { close(): void } {
    const { ifindex, netns } = this.#stage;
    const program = object.program(name);
    if (program.type === 'xdp') return attachXdp(program, { ifindex, netns, mode: 'native' });
    return attachTc(program, { ifindex, netns, direction: 'ingress' });
  }
}

/** One network, those who may send into it, and a container of it behind that host end. */
function fill(datapath: BpfObject, ifindex: number): void {
  datapath
    .map('underlay_device')
    .typed(u32, underlayDeviceCodec)
    .set(0, { mac: parseMac(TARGET.mac) });
  const none = addrCodec.decode(Buffer.alloc(addrCodec.size));
  const network = { flags: 0, mtu: 1450, gateway4: none, gateway6: none };
  datapath.map('networks').typed(u32, networkCodec).set(VNI, network);
  const senders = datapath.map('senders').typed(senderKeyCodec, senderCodec);
  LISTED.forEach((address, index) => {
    senders.set({ vni: VNI, addr: toAddr(parseIp(address)) }, { vtep: index + 1 });
  });
  const mac = parseMac(CONTAINER.mac);
  datapath.map('fdb').typed(fdbKeyCodec, fdbEntryCodec).set({ vni: VNI, mac }, { ifindex, slot: 0 });
  datapath
    .map('endpoints')
    .typed(u32, endpointCodec)
    .set(ifindex, {
      ...{ vni: VNI, slot: 0, flags: EndpointFlags.TAKES_XDP, mtu: 1450, mac },
      ...{ ip4: v4(CONTAINER.address).readUInt32BE(), ip6: none, linkLocal: none },
    });
  new Generation(datapath.map('generation')).raise(); // from now on rows are remembered
}
