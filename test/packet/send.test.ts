/* To other nodes: the outer headers as tshark reads them, and the inner frame as it was. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { pinToOneCpu } from '../programs/measure.js';
import { alice, carol, dave, MTU, node, peer } from './support/actors.js';
import { be16, patch } from './support/bytes.js';
import { TestDatapath } from './support/datapath.js';
import { eth, ipv4, ipv6, Protocol, tcp, udp } from './support/frames.js';
import { assertForwarded } from './support/rows.js';
import { decode } from './support/tshark.js';

pinToOneCpu(); // each has its own IP-IDs

const test = suite('to other nodes');
const datapath = await TestDatapath.load();
test.after(() => datapath.close());

/** Where the outer header has it. */
const IP_ID = 18;
const GSO_SIZE = 1000;

const SENT = ['REMOTE_SENT'];
const SLOW = ['REMOTE_SENT', 'SLOW_SENT'];

type Actor = typeof carol;
const datagram = (length = 26, port = 7): Buffer => udp(port, 7, Buffer.alloc(length, 0x61));
const v4 = (to: Actor, tos = 0, body: Buffer = datagram(), fragment = 0x4000): Buffer =>
  eth(
    to.mac,
    alice.mac,
    'ipv4',
    ipv4({ from: alice.ip4, to: to.ip4, protocol: Protocol.udp, tos, fragment }, body),
  );
const v6 = (to: Actor, trafficClass = 0, body: Buffer = datagram()): Buffer =>
  eth(
    to.mac,
    alice.mac,
    'ipv6',
    ipv6({ from: alice.ip6, to: to.ip6, next: Protocol.udp, trafficClass }, body),
  );

const COMMON = [
  'udp.dstport',
  'udp.length',
  'udp.checksum',
  'vxlan.flags',
  'vxlan.vni',
  '_ws.malformed',
] as const;
const FIELDS4 = [
  ...['ip.src', 'ip.dst', 'ip.len', 'ip.ttl', 'ip.flags.df', 'ip.checksum.status'],
  ...[...COMMON, 'ip.dsfield', 'ip.id'],
] as const;
const FIELDS6 = [
  'ipv6.src',
  'ipv6.dst',
  'ipv6.plen',
  'ipv6.hlim',
  ...COMMON,
  'ipv6.tclass',
  'ipv6.nxt',
] as const;

/**
 * What tshark prints for the outer header: the first value of each field. The kernel writes the outer Ethernet header
 * when it transmits; here the EtherType has to be put in.
 */
function outer<F extends string>(frame: Buffer, fields: readonly F[]): Record<F, string> {
  const type = frame.readUInt8(14) >> 4 === 4 ? 0x0800 : 0x86dd;
  const all = Object.entries<string>(decode(patch(frame, 12, be16(type)), fields));
  return Object.fromEntries(all.map(([field, text]) => [field, text.split(',')[0]])) as Record<F, string>;
}

for (const [what, frame] of [
  ['IPv4', v4(carol)],
  ['IPv6', v6(carol)],
] as const) {
  test(`wraps ${what} for an IPv4 underlay`, () => {
    const before = datapath.traffic('vtep_counters', carol.vtep);
    const out = assertForwarded(datapath, 'from_container', frame, SENT);
    assert.is(out.length, frame.length + 50);
    assert.ok(out.subarray(50).equals(frame), 'the inner frame is as it was');
    const { 'ip.id': id, ...fields } = outer(out, FIELDS4);
    assert.ok(id);
    assert.equal(fields, {
      'ip.src': node.ip4,
      'ip.dst': peer.ip4,
      'ip.len': String(frame.length + 36),
      'ip.ttl': '64',
      'ip.flags.df': '0',
      'ip.checksum.status': '1',
      'ip.dsfield': '0x00',
      'udp.dstport': '4789',
      'udp.length': String(frame.length + 16),
      'udp.checksum': '0x0000',
      'vxlan.flags': '0x0800',
      'vxlan.vni': '4096',
      '_ws.malformed': '',
    });
    const after = datapath.traffic('vtep_counters', carol.vtep);
    assert.is(after.txPackets - before.txPackets, 1n);
    assert.is(after.txBytes - before.txBytes, BigInt(frame.length));
  });
}

for (const [what, frame] of [
  ['IPv4', v4(dave)],
  ['IPv6', v6(dave)],
] as const) {
  test(`wraps ${what} for an IPv6 underlay`, () => {
    const out = assertForwarded(datapath, 'from_container', frame, SENT);
    assert.is(out.length, frame.length + 70);
    assert.ok(out.subarray(70).equals(frame), 'the inner frame is as it was');
    assert.equal(outer(out, FIELDS6), {
      'ipv6.src': node.ip6,
      'ipv6.dst': peer.ip6,
      'ipv6.plen': String(frame.length + 16),
      'ipv6.hlim': '64',
      'ipv6.tclass': '0x00000000',
      'ipv6.nxt': '17',
      'udp.dstport': '4789',
      'udp.length': String(frame.length + 16),
      'udp.checksum': '0x0000',
      'vxlan.flags': '0x0800',
      'vxlan.vni': '4096',
      '_ws.malformed': '',
    });
  });
}

test('copies ECN to the outer header and nothing else of the traffic class (RFC 6040 normal mode)', () => {
  for (let ecn = 0; ecn < 4; ecn++) {
    const tos = 0xb8 | ecn;
    for (const frame of [v4(carol, tos), v6(carol, tos)]) {
      const out = assertForwarded(datapath, 'from_container', frame, SENT);
      assert.is(Number(outer(out, ['ip.dsfield'])['ip.dsfield']), ecn);
    }
    for (const frame of [v4(dave, tos), v6(dave, tos)]) {
      const out = assertForwarded(datapath, 'from_container', frame, SENT);
      assert.is(Number(outer(out, ['ipv6.tclass'])['ipv6.tclass']), ecn);
    }
  }
});

test('gives a flow one source port, in the dynamic range, and different flows different ones', () => {
  const ports = Array.from({ length: 64 }, (_, i) => {
    const frame = v4(carol, 0, datagram(26, 1000 + i));
    const [first, second] = [0, 0].map(() =>
      assertForwarded(datapath, 'from_container', frame, SENT).readUInt16BE(34),
    );
    assert.is(first, second, 'the same packet goes the same way');
    return first ?? 0;
  });
  assert.ok(ports.every((port) => port >= 49152 && port <= 65535));
  assert.ok(new Set(ports).size > 56, `64 flows use ${new Set(ports).size} ports`);
});

/*
 * Routers may cut the outer packets, and fragments are told apart by the IP-ID alone. Whoever segments an aggregate counts
 * it up from there, in network byte order: counting aggregates as one, and in the host's order, gave each of them IDs that
 * the 256th before it had used.
 */
test('counts the IP-ID up by one for each packet on the wire, the segments of an aggregate too', () => {
  const id = (): number => assertForwarded(datapath, 'from_container', v4(carol), SENT).readUInt16BE(IP_ID);
  const first = id();
  assert.is(id(), (first + 1) & 0xffff);
  const fields = { from: alice.ip4, to: carol.ip4, protocol: Protocol.tcp, fragment: 0x4000 };
  for (const [segments, gsoSegs, what] of [
    [2, 2, 'as the stack says'],
    [3, 3, 'as the stack says'],
    [3, 0, 'as many as there can be, where a raw socket did not say'],
  ] as const) {
    const before = id();
    const body = tcp(Buffer.alloc(segments * GSO_SIZE - 100, 1));
    const frame = eth(carol.mac, alice.mac, 'ipv4', ipv4(fields, body));
    assertForwarded(datapath, 'from_container', frame, SLOW, { gsoSize: GSO_SIZE, gsoSegs });
    assert.is(id(), (before + segments + 1) & 0xffff, `${segments} segments, ${what}`);
  }
});

test('counts the IP-ID from anywhere, so that a flow that moves to another CPU does not use those of the first again', async () => {
  const firsts: number[] = [];
  for (let load = 0; load < 4; load++) {
    const fresh = await TestDatapath.load();
    try {
      firsts.push(assertForwarded(fresh, 'from_container', v4(carol), SENT).readUInt16BE(IP_ID));
    } finally {
      fresh.close();
    }
  }
  assert.ok(new Set(firsts).size > 1, `the first is ${firsts[0]} each time`);
});

test('leaves GSO packets that adjust_room refuses to the kernel, here one without a type', () => {
  const body = tcp(Buffer.alloc(2500, 1));
  const fields = { from: alice.ip4, to: carol.ip4, protocol: Protocol.tcp, fragment: 0x4000 };
  const frame = eth(carol.mac, alice.mac, 'ipv4', ipv4(fields, body));
  const out = assertForwarded(datapath, 'from_container', frame, SLOW, { gsoSize: MTU - 40 });
  assert.ok(out.equals(frame), 'the kernel does the encapsulation');
});

test('sends exactly the MTU fast, and leaves what routers may cut to the kernel', () => {
  const fits = v4(carol, 0, datagram(MTU - 28));
  assert.is(fits.length, MTU + 14);
  assertForwarded(datapath, 'from_container', fits, SENT);
  const cuttable = v4(carol, 0, datagram(MTU - 27), 0);
  const out = assertForwarded(datapath, 'from_container', cuttable, SLOW);
  assert.ok(out.equals(cuttable), 'the kernel does the encapsulation');
});

test('leaves what is not IP to the kernel', () => {
  const frame = eth(carol.mac, alice.mac, 0x88b5, Buffer.alloc(46, 1));
  const out = assertForwarded(datapath, 'from_container', frame, SLOW);
  assert.ok(out.equals(frame));
});

test.run();
