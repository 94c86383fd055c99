/*
 * underlay_deliver: what it delivers is byte by byte what from_underlay would have delivered, what it drops has the same
 * reason there, and the rest passes as it came. The endpoint of the test takes XDP unless a test says otherwise.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { EndpointFlags } from '../../src/datapath/types.gen.js';
import { alice, carol, everyone, MTU, nobody, VNI } from './support/actors.js';
import { hex, mac, patch } from './support/bytes.js';
import { captures } from './support/captures.js';
import { TestDatapath } from './support/datapath.js';
import { eth, ipv4, ipv6, Protocol, udp } from './support/frames.js';
import {
  assertDeliveryAgrees,
  assertFiltered,
  assertPassed,
  SHORTEST_IPV4,
  SHORTEST_IPV6,
} from './support/rows.js';
import { data, hostile, inner4, inner6, innerArp, notOurs, over4, over6 } from './support/underlay.js';

const test = suite('delivery by XDP');
const datapath = await TestDatapath.load();
test.after(() => datapath.close());
test.before.each(() => datapath.setEndpoint(EndpointFlags.TAKES_XDP));

const packet4 = (fields: object, payload: Buffer): Buffer =>
  eth(
    alice.mac,
    carol.mac,
    'ipv4',
    ipv4({ from: carol.ip4, to: alice.ip4, protocol: Protocol.udp, ...fields }, payload),
  );
const packet6 = (payload: Buffer): Buffer =>
  eth(alice.mac, carol.mac, 'ipv6', ipv6({ from: carol.ip6, to: alice.ip6, next: Protocol.udp }, payload));

/** A datagram that makes an IP packet of `length` bytes, behind a header of so many. */
const filling = (length: number, header: number): Buffer =>
  udp(7, 7, Buffer.alloc(length - header - 8, 0x61));

const delivered = [
  ...captures
    .filter(({ frame, inner }) => [0x0800, 0x86dd].includes(frame.readUInt16BE(inner + 12)))
    .map(({ name, frame }) => ({ what: `what a kernel vxlan device sends: ${name}`, frame })),
  ...[
    { what: 'IPv4', inner: inner4 },
    { what: 'IPv6', inner: inner6 },
    { what: 'IP options', inner: packet4({ options: hex('94040000') }, data) },
    { what: 'a fragment', inner: packet4({ fragment: 0x20b9 }, data) },
    { what: 'an IPv4 header and no more', inner: packet4({}, Buffer.alloc(0)) },
    { what: 'an IPv6 header and no more', inner: packet6(Buffer.alloc(0)) },
    { what: 'IPv4 as long as the MTU', inner: packet4({}, filling(MTU, 20)) },
    { what: 'IPv6 as long as the MTU', inner: packet6(filling(MTU, 40)) },
  ].flatMap(({ what, inner }) => [
    { what: `${what} over IPv4`, frame: over4(inner) },
    { what: `${what} over IPv6`, frame: over6(inner) },
  ]),
];

for (const { what, frame } of delivered) {
  test(`delivers ${what}`, () => {
    const before = datapath.traffic('endpoint_counters', alice.slot);
    const fromNode = datapath.traffic('vtep_counters', carol.vtep);
    const run = datapath.run('underlay_deliver', frame);
    const after = datapath.traffic('endpoint_counters', alice.slot);
    assert.is(after.rxPackets - before.rxPackets, 1n);
    assert.is(after.rxBytes - before.rxBytes, BigInt(run.out.length));
    const isFromCarol = frame.readUInt16BE(12) === 0x0800;
    const counted = datapath.traffic('vtep_counters', carol.vtep).rxPackets - fromNode.rxPackets;
    assert.is(counted, isFromCarol ? 1n : 0n);
    assert.is(assertDeliveryAgrees(datapath, frame, what), 'redirect');
  });
}

const big = packet4({}, filling(9000, 20));

for (const { what, frame } of [
  ...notOurs,
  { what: 'ARP, which adjust_room and the veth know better', frame: over4(innerArp) },
  { what: 'an unknown EtherType', frame: over6(eth(alice.mac, carol.mac, 0x88b5, Buffer.alloc(46, 1))) },
  {
    what: 'more than the MTU, which a veth would drop unseen',
    frame: over4(packet4({}, filling(MTU + 1, 20))),
  },
  { what: 'a frame of several buffers', frame: over4(big) },
  { what: 'unknown unicast, which is flooded', frame: over4(patch(inner4, 0, mac(nobody.mac))) },
  { what: 'a broadcast', frame: over4(patch(inner4, 0, mac(everyone.mac))) },
  {
    what: 'an IPv4 packet without its whole header',
    frame: over4(eth(alice.mac, carol.mac, 'ipv4', Buffer.from([0x45, ...Buffer.alloc(15)]))),
  },
  {
    what: 'an IPv6 packet without its whole header',
    frame: over6(eth(alice.mac, carol.mac, 'ipv6', Buffer.from([0x60, ...Buffer.alloc(30)]))),
  },
]) {
  test(`leaves to from_underlay ${what}`, () => {
    assert.is(assertDeliveryAgrees(datapath, over4(inner4), 'precondition'), 'redirect');
    assertPassed(datapath.run('underlay_deliver', frame), frame, what);
  });
}

for (const { reason, what, frame } of hostile) {
  const isFlooded = reason === 'NO_MEMBERS';
  test(`${isFlooded ? 'leaves to from_underlay' : 'drops'} ${what}`, () => {
    assert.is(assertDeliveryAgrees(datapath, frame, what), isFlooded ? 'next' : 'drop');
    if (!isFlooded) assertFiltered(datapath.run('underlay_deliver', frame), reason, frame, what);
  });
}

test('leaves to from_underlay what is for an endpoint that takes no frames without an skb, or is gone', () => {
  for (const frame of [over4(inner4), over6(inner6)]) {
    datapath.setEndpoint(0);
    assertPassed(datapath.run('underlay_deliver', frame), frame, 'no NAPI');
    datapath.setEndpoint(EndpointFlags.INTERNAL);
    assertPassed(datapath.run('underlay_deliver', frame), frame, 'another flag');
    datapath.setEndpoint(EndpointFlags.INTERNAL | EndpointFlags.TAKES_XDP);
    assert.is(assertDeliveryAgrees(datapath, frame, 'both flags'), 'redirect');
    datapath.map('endpoints').delete(Buffer.from(new Uint32Array([alice.ifindex]).buffer));
    assertPassed(datapath.run('underlay_deliver', frame), frame, `VNI ${VNI} has it no more`);
    datapath.setEndpoint(EndpointFlags.TAKES_XDP);
  }
});

test('agrees with from_underlay about a packet that is cut off at any byte', () => {
  for (const [frame, shortest] of [
    [over4(inner4), SHORTEST_IPV4],
    [over6(inner6), SHORTEST_IPV6],
  ] as const) {
    for (let length = shortest; length < frame.length; length++) {
      const verdict = assertDeliveryAgrees(datapath, frame.subarray(0, length), `${length} bytes`);
      assert.is.not(verdict, 'redirect', `${length} bytes`);
    }
  }
});

test('agrees about inner packets of any length', () => {
  for (const [inner, header] of [
    [inner4, 20],
    [inner6, 40],
  ] as const) {
    for (let length = 0; length <= inner.length; length++) {
      for (const frame of [over4(inner.subarray(0, length)), over6(inner.subarray(0, length))]) {
        const verdict = assertDeliveryAgrees(datapath, frame, `${length} inner bytes`);
        const expected = length < 16 ? 'drop' : length < 14 + header ? 'next' : 'redirect';
        assert.is(verdict, expected, `${length} inner bytes`);
      }
    }
  }
});

test.run();
