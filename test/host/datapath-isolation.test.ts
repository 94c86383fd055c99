// Who may put a frame into a network: its members and the nodes that etcd lists. Containers, neighbours of the nodes
// and other interfaces of a node try it here, with datagrams that a node in their place would be believed.
//
//     c1 (app), s1 (secret) ── n1 ──┐
//                                   ├── underlay ── k1, a stranger
//     c2 (app), s2 (secret) ── n2 ──┘

import * as assert from 'uvu/assert';
import { Capture } from '../../src/lab/capture.js';
import type { Lab } from '../../src/lab/lab.js';
import { eth, ipv4, Protocol, udp, vxlan } from '../packet/support/frames.js';
import { allReach, attach, type Container, canReach, dropped } from './support/containers.js';
import { sendFrame, sendUdp } from './support/raw.js';
import { scenarios } from './support/scenarios.js';

const PORT = 4789;
const MARK = 7777;
const MARKED = `udp dst port ${MARK}`;
let c1: Container;
let s1: Container;
let s2: Container;
let forged: Buffer;

const { scenario, run } = scenarios({ nodes: 2, plainHosts: ['k1'] }, async (lab) => {
  await lab.plait('n1', 'network create --subnet 10.10.0.0/24 --subnet fd10:10::/64 app');
  await lab.plait('n1', 'network create --subnet 10.20.0.0/24 --subnet fd10:20::/64 secret');
  c1 = await attach(lab, 'n1', 'c1');
  const c2 = await attach(lab, 'n2', 'c2');
  s1 = await attach(lab, 'n1', 's1', { network: 'secret' });
  s2 = await attach(lab, 'n2', 's2', { network: 'secret' });
  await allReach(lab, [c1, c2]);
  await allReach(lab, [s1, s2]);
  const [secret] = JSON.parse(await lab.plait('n1', 'network inspect secret')) as { vni: number }[];
  forged = vxlan(secret?.vni ?? 0, datagram(s1, s2));
});

/** What s1 might have sent to s2. */
function datagram(from: Container, to: Container): Buffer {
  const payload = udp(MARK, MARK, Buffer.from('from a stranger'));
  return eth(
    to.mac,
    from.mac,
    'ipv4',
    ipv4({ from: from.address, to: to.address, protocol: Protocol.udp }, payload),
  );
}

/** How many marked datagrams `victim` gets while `attack` runs; one of a listed node ends it, so that none is late. */
async function received(lab: Lab, victim: Container, attack: () => Promise<void>): Promise<number> {
  const capture = await Capture.start(lab, { member: victim.container, filter: MARKED });
  await attack();
  const from = victim.node === 'n1' ? 'n2' : 'n1';
  const frame = victim === s1 ? vxlan(forged.readUInt32BE(4) >>> 8, datagram(s2, s1)) : forged;
  await sendUdp(lab, from, lab.node(victim.node).vtep, PORT, frame);
  const got = (await capture.stop(['frame.len'])).length;
  assert.ok(got >= 1, 'what a listed node sends arrives: the datagram is good');
  return got - 1;
}

/** Packets that the rules with this text have refused. */
async function refused(lab: Lab, node: string, chain: string): Promise<number> {
  const { nftables } = JSON.parse(await lab.sh(node, `nft -j list chain inet plait ${chain}`)) as {
    nftables: { rule?: { expr: { counter?: { packets: number } }[] } }[];
  };
  const counters = nftables.flatMap(({ rule }) => rule?.expr ?? []).flatMap(({ counter }) => counter ?? []);
  return counters.reduce((total, { packets }) => total + packets, 0);
}

scenario("a container's own VXLAN does not leave its node, whose address would be believed", async (lab) => {
  const before = await refused(lab, 'n1', 'forwarding');
  assert.is(await received(lab, s2, () => sendUdp(lab, 'c1', lab.node('n2').vtep, PORT, forged)), 0);
  assert.is(await refused(lab, 'n1', 'forwarding'), before + 1);
  await sendUdp(lab, 'c1', lab.node('n2').address6, PORT, forged);
  assert.is(await refused(lab, 'n1', 'forwarding'), before + 2, 'over IPv6');
});

scenario('nor in fragments, nor to a node that translates another port to it', async (lab) => {
  const before = await refused(lab, 'n1', 'forwarding');
  const long = Buffer.concat([forged, Buffer.alloc(3000)]);
  await sendUdp(lab, 'c1', lab.node('n2').vtep, PORT, long);
  await sendUdp(lab, 'c1', lab.node('n2').address6, PORT, long);
  assert.is(await refused(lab, 'n1', 'forwarding'), before + 2, 'reassembled');
  await lab.sh('n1', 'nft add table inet theirs');
  try {
    await lab.sh('n1', 'nft add chain inet theirs in { type nat hook prerouting priority dstnat ; }');
    await lab.sh(
      'n1',
      `nft add rule inet theirs in udp dport 9999 dnat ip to ${lab.node('n2').vtep}:${PORT}`,
    );
    assert.is(await received(lab, s2, () => sendUdp(lab, 'c1', '198.51.100.1', 9999, forged)), 0);
    assert.is(await refused(lab, 'n1', 'forwarding'), before + 3, 'translated');
  } finally {
    await lab.sh('n1', 'nft delete table inet theirs');
  }
});

scenario("a container does not reach its own node's VXLAN port", async (lab) => {
  const { address, address6 } = lab.node('n1');
  const back = vxlan(forged.readUInt32BE(4) >>> 8, datagram(s2, s1));
  const before = await refused(lab, 'n1', 'vxlan_in');
  const targets = [address, address6, '10.10.0.1', 'fd10:10::1'];
  const attack = async (): Promise<void> => {
    for (const target of targets) await sendUdp(lab, 'c1', target, PORT, back);
  };
  assert.is(await received(lab, s1, attack), 0);
  assert.is(await refused(lab, 'n1', 'vxlan_in'), before + targets.length);
});

scenario('a listed node is believed only where the route to it leads', async (lab) => {
  // As a bridge of another container runtime, or a second uplink: whoever is there writes any source.
  const lines = [
    `link add side0 type veth peer name side1 netns ${lab.netns('c1').split('/').pop()}`,
    'address add 172.30.0.1/24 dev side0',
    'link set side0 up',
  ];
  for (const line of lines) await lab.sh('n1', `ip ${line}`);
  await lab.sh('n1', 'sysctl -qw net.ipv4.conf.side0.rp_filter=0');
  await lab.sh('c1', 'ip link set side1 up');
  const [side0] = JSON.parse(await lab.sh('n1', 'ip -j link show side0')) as { address: string }[];
  const back = vxlan(forged.readUInt32BE(4) >>> 8, datagram(s2, s1));
  const outer = { from: lab.node('n2').vtep, to: lab.node('n1').vtep, protocol: Protocol.udp };
  const frame = eth(side0?.address ?? '', '020000000abc', 'ipv4', ipv4(outer, udp(50000, PORT, back)));
  const before = await refused(lab, 'n1', 'vxlan_in');
  try {
    assert.is(await received(lab, s1, () => sendFrame(lab, 'c1', 'side1', frame)), 0);
    assert.is(await refused(lab, 'n1', 'vxlan_in'), before + 1);
  } finally {
    await lab.sh('n1', 'ip link delete side0');
  }
});

scenario(
  'a neighbour of the nodes has no way into a network, neither by VXLAN nor by a route',
  async (lab) => {
    assert.is(await received(lab, s2, () => sendUdp(lab, 'k1', lab.node('n2').vtep, PORT, forged)), 0);
    await lab.sh('k1', `ip route add 10.20.0.0/24 via ${lab.node('n2').address}`);
    await lab.sh('k1', `ip route add fd10:20::/64 via ${lab.node('n2').address6}`);
    const attack = async (): Promise<void> => {
      await sendUdp(lab, 'k1', s2.address, MARK, Buffer.from('routed'));
      await sendUdp(lab, 'k1', s2.address6, MARK, Buffer.from('routed'));
    };
    assert.is(await received(lab, s2, attack), 0);
    assert.not.ok(await canReach(lab, 'k1', s2.address));
    assert.not.ok(await canReach(lab, 'k1', s2.address6));
  },
);

scenario(
  'what a container sends to the gateway keeps its source, and comes back into no network',
  async (lab) => {
    await lab.sh('c1', `ip address add ${s1.address.replace(/\d+$/, '77')}/32 dev eth0`);
    const attack = async (): Promise<void> => {
      await sendUdp(lab, 'c1', s1.address, MARK, Buffer.from('by way of the gateway'));
      await sendUdp(lab, 'c1', s1.address6, MARK, Buffer.from('by way of the gateway'));
      await lab.try('c1', [
        'ping',
        '-n',
        '-c',
        '1',
        '-W',
        '1',
        '-I',
        s1.address.replace(/\d+$/, '77'),
        '10.10.0.1',
      ]);
    };
    assert.is(await received(lab, s1, attack), 0);
    assert.ok((await dropped(lab, 'n1'))['spoofed-ip']);
  },
);

scenario("a container talks to its host's addresses, also those of other networks' gateways", async (lab) => {
  for (const target of ['10.10.0.1', '10.20.0.1', 'fd10:20::1', lab.node('n1').address]) {
    await lab.sh('c1', `ping -n -c 1 -W 2 ${target}`);
  }
});

run();
