// Another host on the underlay of support/node.ts, with nothing but the kernel's vxlan device: it resolves addresses by
// ARP and neighbour discovery, which it floods, and its containers' place is itself.

import type { Datapath } from '../../../src/datapath/datapath.js';
import { parseIp, parseMac, toAddr } from '../../../src/model/addresses.js';
import { ADDRESS, VNI } from './node.js';
import { type Scratch, sh, shIn } from './own-namespace.js';

export const VTEP = '192.0.2.9';
const MAC = '02:00:00:00:ee:01';

export interface Peer {
  netns: string;
  ip4: string;
  ip6: string;
}

/** Takes the far end of the underlay. The datapath's rows about it are written, too. */
export async function addVxlanPeer(dp: Datapath, scratch: Scratch): Promise<Peer> {
  const netns = scratch.namespace('peer');
  const [ip4, ip6] = ['10.10.0.200', 'fd00:10::c8'];
  sh(`ip link set u1p netns ${netns}`);
  shIn(
    netns,
    `ip link set lo up
     ip address add ${VTEP}/24 dev u1p; ip link set u1p up
     ip link add vx0 address ${MAC} mtu 1450 type vxlan id ${VNI} local ${VTEP} dstport 4789 nolearning
     ip link set vx0 addrgenmode none up
     ip address add ${ip4}/24 dev vx0; ip address add ${ip6}/64 dev vx0 nodad
     bridge fdb append 00:00:00:00:00:00 dev vx0 dst ${ADDRESS}`,
  );
  const vtep = dp.vteps.index(VTEP);
  await dp.vteps.routeNew();
  const mac = parseMac(MAC);
  dp.tables.senders.apply([[{ vni: VNI, addr: toAddr(parseIp(VTEP)) }, { vtep }]]);
  dp.tables.fdb.apply([
    [
      { vni: VNI, mac },
      { ifindex: 0, slot: vtep },
    ],
  ]);
  dp.tables.neighbors.apply(
    [ip4, ip6].map((ip) => [{ vni: VNI, addr: toAddr(parseIp(ip)) }, { mac }] as const),
  );
  dp.flood.apply([[VNI, [...(dp.flood.get(VNI) ?? []), { ifindex: 0, slot: vtep }]]]);
  return { netns, ip4, ip6 };
}
