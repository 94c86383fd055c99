/*
 * Head-end replication, onto real devices: bpf_clone_redirect transmits even in a test run. Three local members
 * (veth pairs), an IPv4 and an IPv6 VTEP behind the collect-metadata vxlan device, in a network namespace.
 */
import { execFileSync } from 'node:child_process';
import { BpfMap, interfaceIndex, mapFlags, u32 } from 'libbpf-ts-bindings';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { floodMemberCodec } from '../../src/datapath/types.gen.js';
import { alice, carol, dave, erin, everyone, nobody, node, PORT, peer, VNI } from './support/actors.js';
import { TestDatapath } from './support/datapath.js';
import { eth, ipv4, Protocol, udp, vxlan } from './support/frames.js';

const test = suite('flood');
const namespace = `pt-flood-${process.pid}`;
const netns = `/var/run/netns/${namespace}`;
const MEMBERS = ['m1', 'm2', 'm3'];
let datapath: TestDatapath;
let list: BpfMap;

const ip = (command: string): string =>
  execFileSync('ip', ['-n', namespace, ...command.split(' ')], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
const index = (name: string): number => interfaceIndex(name, netns);

function setUp(): void {
  execFileSync('ip', ['netns', 'add', namespace]);
  ip('link set lo up');
  for (const name of [...MEMBERS, 'ul']) {
    ip(`link add ${name} type veth peer name ${name}p`);
    for (const end of [name, `${name}p`]) ip(`link set ${end} addrgenmode none arp off up`);
  }
  ip(`addr add ${node.ip4}/24 dev ul`);
  ip(`addr add ${node.ip6}/64 dev ul nodad`);
  ip(`link add plaitvx type vxlan external dstport ${PORT} nolearning udp6zerocsumtx udp6zerocsumrx`);
  ip('link set plaitvx addrgenmode none up');
}

const NOBODY = { ifindex: 0, slot: 0 };

/** Slots 11, 12, 13 are the members' counters. Some have left, the first and the last one among them. */
function fillList(): void {
  const [m1, m2, m3] = MEMBERS.map((name, i) => ({ ifindex: index(name), slot: 11 + i }));
  assert.ok(m1 && m2 && m3);
  const [toCarol, toDave, toErin] = [carol, dave, erin].map(({ vtep }) => ({ ifindex: 0, slot: vtep }));
  assert.ok(toCarol && toDave && toErin);
  const members = [NOBODY, m1, m2, NOBODY, m3, toCarol, NOBODY, toDave, toErin, NOBODY];
  const options = {
    type: 'array',
    keySize: 4,
    valueSize: 8,
    maxEntries: members.length,
    flags: mapFlags.innerMap,
  };
  list = BpfMap.create(options);
  list.typed(u32, floodMemberCodec).setMany(members.map((member, i) => [i, member] as const));
  datapath.map('flood').update(u32.encode(VNI), list);
}

test.before(async () => {
  setUp();
  datapath = await TestDatapath.load({ vxlan_ifindex: index('plaitvx') });
  datapath.setEndpoint(0, VNI, index('m1'));
  fillList();
});
test.after(() => {
  list?.close();
  datapath?.close();
  execFileSync('ip', ['netns', 'del', namespace]);
});

interface Link {
  ifname: string;
  stats64: { tx: { packets: number } };
}
const DEVICES = [...MEMBERS, 'plaitvx', 'ul'];

/** Packets that each device sent while `action` ran. */
function transmitted(action: () => void): Record<string, number> {
  const read = (): Map<string, number> =>
    new Map((JSON.parse(ip('-j -s link')) as Link[]).map((link) => [link.ifname, link.stats64.tx.packets]));
  const before = read();
  action();
  const after = read();
  return Object.fromEntries(DEVICES.map((name) => [name, (after.get(name) ?? 0) - (before.get(name) ?? 0)]));
}

const frame = (to: string): Buffer =>
  eth(
    to,
    alice.mac,
    'ipv4',
    ipv4({ from: alice.ip4, to: '10.10.0.255', protocol: Protocol.udp }, udp(7, 7, Buffer.alloc(32))),
  );

for (const [what, to] of [
  ['a broadcast', everyone.mac],
  ['a multicast', '01:00:5e:00:00:fb'],
  ['unicast for an unknown MAC', nobody.mac],
] as const) {
  test(`sends ${what} once to every other member, local and remote`, () => {
    const sent = transmitted(() => {
      const run = datapath.run('from_container', frame(to), { ifindex: index('m1'), netns });
      assert.equal(
        { ...run, out: [] },
        { verdict: 'drop', out: [], drops: [], events: ['FLOODED', 'SLOW_SENT', 'SLOW_SENT'] },
        'the original is consumed, which is no drop',
      );
    });
    assert.equal(sent, { m1: 0, m2: 1, m3: 1, plaitvx: 2, ul: 2 });
  });
}

test('counts each copy for its receiver', () => {
  const counters = [
    () => datapath.traffic('endpoint_counters', 11).rxPackets,
    () => datapath.traffic('endpoint_counters', 12).rxPackets,
    () => datapath.traffic('endpoint_counters', 13).rxPackets,
    () => datapath.traffic('vtep_counters', carol.vtep).txPackets,
    () => datapath.traffic('vtep_counters', dave.vtep).txPackets,
    () => datapath.traffic('vtep_counters', erin.vtep).txPackets,
  ];
  const before = counters.map((read) => read());
  datapath.run('from_container', frame(everyone.mac), { ifindex: index('m1'), netns });
  assert.equal(
    counters.map((read, i) => Number(read() - (before[i] ?? 0n))),
    [0, 1, 1, 1, 1, 0],
  );
});

test('sends what came from another node to local members only', () => {
  for (const to of [everyone.mac, nobody.mac]) {
    const inner = frame(to);
    const datagram = udp(50000, PORT, vxlan(VNI, inner));
    const packet = eth(
      node.mac,
      peer.mac,
      'ipv4',
      ipv4({ from: peer.ip4, to: node.ip4, protocol: Protocol.udp }, datagram),
    );
    const sent = transmitted(() => {
      const run = datapath.run('from_underlay', packet, { netns });
      assert.equal(
        { ...run, out: [] },
        { verdict: 'drop', out: [], drops: [], events: ['REMOTE_RECEIVED', 'FLOODED'] },
      );
      assert.ok(run.out.equals(inner), 'the copies are of the inner frame');
    });
    assert.equal(sent, { m1: 1, m2: 1, m3: 1, plaitvx: 0, ul: 0 });
  }
});

test('a list of one, the sender, reaches nobody and is no error', () => {
  const options = { type: 'array', keySize: 4, valueSize: 8, maxEntries: 1, flags: mapFlags.innerMap };
  const alone = BpfMap.create(options);
  alone.typed(u32, floodMemberCodec).set(0, { ifindex: index('m1'), slot: 11 });
  datapath.map('flood').update(u32.encode(VNI), alone);
  try {
    const sent = transmitted(() => {
      const run = datapath.run('from_container', frame(everyone.mac), { ifindex: index('m1'), netns });
      assert.equal({ ...run, out: [] }, { verdict: 'drop', out: [], drops: [], events: ['FLOODED'] });
    });
    assert.equal(sent, { m1: 0, m2: 0, m3: 0, plaitvx: 0, ul: 0 });
  } finally {
    datapath.map('flood').update(u32.encode(VNI), list);
    alone.close();
  }
});

test('an empty place is nobody, also where VTEP 0 would be a valid one', () => {
  const vteps = datapath.map('vteps');
  const unused = vteps.lookup(u32.encode(0));
  vteps.update(u32.encode(0), vteps.lookup(u32.encode(carol.vtep)) ?? Buffer.alloc(0));
  try {
    const sent = transmitted(() => {
      datapath.run('from_container', frame(everyone.mac), { ifindex: index('m1'), netns });
    });
    assert.equal(sent, { m1: 0, m2: 1, m3: 1, plaitvx: 2, ul: 2 });
  } finally {
    vteps.update(u32.encode(0), unused ?? Buffer.alloc(0));
  }
});

test('a list of empty places reaches nobody and is no error', () => {
  const options = { type: 'array', keySize: 4, valueSize: 8, maxEntries: 16, flags: mapFlags.innerMap };
  const empty = BpfMap.create(options);
  datapath.map('flood').update(u32.encode(VNI), empty);
  try {
    const sent = transmitted(() => {
      const run = datapath.run('from_container', frame(everyone.mac), { ifindex: index('m1'), netns });
      assert.equal({ ...run, out: [] }, { verdict: 'drop', out: [], drops: [], events: ['FLOODED'] });
    });
    assert.equal(sent, { m1: 0, m2: 0, m3: 0, plaitvx: 0, ul: 0 });
  } finally {
    datapath.map('flood').update(u32.encode(VNI), list);
    empty.close();
  }
});

test.run();
