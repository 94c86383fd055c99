/* Where bad VXLAN can be dropped: each place is set up, counts what it dropped, and is taken away again. */
import { attachTc, attachXdp, type BpfObject, openObject, u32 } from 'libbpf-ts-bindings';
import { OBJECT_PATH } from '../../datapath/loader.js';
import {
  addrCodec,
  counterCodec,
  networkCodec,
  senderCodec,
  senderKeyCodec,
  underlayDeviceCodec,
} from '../../datapath/types.gen.js';
import { parseIp, parseMac, toAddr } from '../../model/addresses.js';
import { GENERATE_OBJECT } from './generator.js';
import { type BadPacket, LISTED, TARGET, VNI, v4 } from './packets.js';
import type { Stage } from './stage.js';

export interface Place {
  readonly name: string;
  readonly kind: 'nftables' | 'plait' | 'limit';
  /** Returns what takes it away. */
  setUp(packet: BadPacket): Promise<() => Promise<void>>;
  /** Packets that were dropped there. */
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
    fill(datapath);
    const plain = openObject(GENERATE_OBJECT);
    await plain.load();
    return new Places(stage, datapath, plain);
  }

  close(): void {
    this.#datapath.close();
    this.#plain.close();
  }

  all(): Place[] {
    const { device } = this.#stage;
    const ingress = `type filter hook ingress device ${device} priority -500;`;
    return [
      this.#nftables('nftables, prerouting (raw)', 'ip', 'type filter hook prerouting priority -300;'),
      this.#nftables('nftables, ingress of the device', 'netdev', ingress),
      this.#withoutGro(this.#nftables('nftables, the same without GRO', 'netdev', ingress)),
      this.#plait('from_underlay (tcx)', 'from_underlay'),
      this.#plait('underlay_filter (XDP)', 'underlay_filter'),
      this.#limit(),
    ];
  }

  #nftables(name: string, family: 'ip' | 'netdev', hook: string): Place {
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
  #withoutGro(place: Place): Place {
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

  #plait(name: string, program: 'from_underlay' | 'underlay_filter'): Place {
    return {
      name,
      kind: 'plait',
      setUp: async () => {
        const link = this.#attach(this.#datapath, program);
        return async () => link.close();
      },
      count: async () => {
        const rows = this.#datapath.map('drops').typedPerCpu(u32, counterCodec);
        return [...rows].reduce(
          (sum, [, perCpu]) => perCpu.reduce((n, cpu) => n + Number(cpu.packets), sum),
          0,
        );
      },
    };
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

/** One network, and those who may send into it. */
function fill(datapath: BpfObject): void {
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
}
