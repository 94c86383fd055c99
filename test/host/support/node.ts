// A node with its datapath and containers, written row by row: what an agent would do, without one.

import { join } from 'node:path';
import type { Datapath, DatapathOptions } from '../../../src/datapath/datapath.js';
import { linkLocalAddr, parseIp, parseMac, toAddr } from '../../../src/model/addresses.js';
import type { LinkKind } from '../../../src/net/netkit.js';
import { createVeth, hostIfname } from '../../../src/net/veth.js';
import { type Scratch, sh } from './own-namespace.js';

export const VNI = 4096;
export const ADDRESS = '192.0.2.1';

/** A veth with this node's underlay address; its other end stands for the network outside. */
export function makeUnderlay(): void {
  sh(`
    ip link add u1 type veth peer name u1p
    ip address add ${ADDRESS}/24 dev u1
    ip link set u1 up; ip link set u1p up`);
}

export function optionsIn(scratch: Scratch, more: Partial<DatapathOptions> = {}): DatapathOptions {
  const { directory } = scratch;
  return { bpf: join(directory, 'bpf'), state: join(directory, 'lib'), address: ADDRESS, ...more };
}

export interface TestContainer {
  netns: string;
  hostIfname: string;
  ifindex: number;
  mac: string;
  ip4: string;
  ip6: string;
}

/** What the devices of containers are where a test does not say: PLAIT_LINK, as for the agents of labs. */
const defaultKind: LinkKind = process.env.PLAIT_LINK === 'netkit' ? 'netkit' : 'veth';

/** The container with number n (1…250) of network VNI: 10.10.0.n and fd00:10::n. */
export async function addContainer(
  dp: Datapath,
  scratch: Scratch,
  n: number,
  kind: LinkKind = defaultKind,
): Promise<TestContainer> {
  const netns = scratch.namespace(`c${n}`);
  const mac = `02:00:00:00:00:${n.toString(16).padStart(2, '0')}`;
  const [ip4, ip6] = [`10.10.0.${n}`, `fd00:10::${n.toString(16)}`];
  const host = hostIfname(`container ${n} of ${process.pid}`);
  const ifindex = await createVeth({
    kind,
    hostIfname: host,
    ifname: 'eth0',
    netns,
    mac,
    mtu: 1450,
    addresses: [`${ip4}/24`, `${ip6}/64`],
    gateways: [],
  });
  const slot = dp.slots.of(ifindex);
  const bytes = parseMac(mac);
  const none = { w: [0, 0, 0, 0] };
  dp.tables.networks.apply([[VNI, { flags: 0, mtu: 1450, gateway4: none, gateway6: none }]]);
  dp.tables.endpoints.apply([
    [
      ifindex,
      {
        vni: VNI,
        slot,
        flags: 0,
        mtu: 1450,
        mac: bytes,
        ip4: Number(parseIp(ip4).value),
        ip6: toAddr(parseIp(ip6)),
        linkLocal: linkLocalAddr(bytes),
      },
    ],
  ]);
  dp.tables.fdb.apply([
    [
      { vni: VNI, mac: bytes },
      { ifindex, slot },
    ],
  ]);
  dp.tables.neighbors.apply(
    [ip4, ip6].map((ip) => [{ vni: VNI, addr: toAddr(parseIp(ip)) }, { mac: bytes }] as const),
  );
  dp.flood.apply([[VNI, [...(dp.flood.get(VNI) ?? []), { ifindex, slot }]]]);
  await dp.links.attach(host, ifindex);
  return { netns, hostIfname: host, ifindex, mac, ip4, ip6 };
}
