/* The source guard: a container sends with its own addresses, untagged, or not at all. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { EndpointFlags } from '../../src/datapath/types.gen.js';
import { alice, bob, carol, gateway, SECRET_VNI, VNI } from './support/actors.js';
import { hex, patch } from './support/bytes.js';
import { TestDatapath } from './support/datapath.js';
import { eth, extension, icmp6, ipv4, ipv6, Protocol, tcp, udp } from './support/frames.js';
import { assertDropped, assertForwarded, SHORTEST_IPV4, SHORTEST_IPV6 } from './support/rows.js';

const test = suite('source guard');
const datapath = await TestDatapath.load();
test.after(() => datapath.close());

const payload = Buffer.from('plait');
const v4 = (
  from: string = alice.ip4,
  extra: { fragment?: number; options?: Buffer } = {},
  to: { mac: string; ip4: string } = bob,
): Buffer =>
  eth(
    to.mac,
    alice.mac,
    'ipv4',
    ipv4({ from, to: to.ip4, protocol: Protocol.udp, ...extra }, udp(7, 7, payload)),
  );
const v6 = (from: string = alice.ip6, next = Protocol.udp, body: Uint8Array = udp(7, 7, payload)): Buffer =>
  eth(bob.mac, alice.mac, 'ipv6', ipv6({ from, to: bob.ip6, next }, body));

const FIRST_FRAGMENT = [0, 0, 1, 0, 0, 0, 1];
const LATER_FRAGMENT = [0, 5, 0xa8, 0, 0, 0, 1];

const honest = [
  { what: 'IPv4', frame: v4() },
  { what: 'IPv4 with options', frame: v4(alice.ip4, { options: hex('9404 0000') }) },
  { what: 'a first IPv4 fragment', frame: v4(alice.ip4, { fragment: 0x2000 }) },
  { what: 'a later IPv4 fragment', frame: v4(alice.ip4, { fragment: 0x00b9 }) },
  {
    what: 'IPv4 with a wrong header checksum, which is the receiver’s to see',
    frame: patch(v4(), 24, [0, 0]),
  },
  { what: 'IPv6', frame: v6() },
  { what: 'IPv6 from the link-local address', frame: v6(alice.linkLocal) },
  { what: 'TCP', frame: v6(alice.ip6, Protocol.tcp, tcp(payload)) },
  {
    what: 'ping over IPv6',
    frame: v6(alice.ip6, Protocol.icmp6, icmp6(alice.ip6, bob.ip6, 128, Buffer.alloc(8))),
  },
  {
    what: 'hop-by-hop options',
    frame: v6(alice.ip6, Protocol.hopByHop, extension(Protocol.udp, udp(7, 7, payload))),
  },
  {
    what: 'a first IPv6 fragment',
    frame: v6(alice.ip6, Protocol.fragment, extension(Protocol.udp, udp(7, 7, payload), FIRST_FRAGMENT)),
  },
  {
    what: 'a later IPv6 fragment that looks like a router advertisement',
    frame: v6(alice.ip6, Protocol.fragment, extension(Protocol.icmp6, Buffer.alloc(16, 134), LATER_FRAGMENT)),
  },
  { what: 'a protocol that nobody knows', frame: v6(alice.ip6, 253, payload) },
  {
    what: 'a first IPv6 fragment whose chain ends in it',
    frame: v6(
      alice.ip6,
      Protocol.fragment,
      extension(Protocol.destination, extension(Protocol.udp, udp(7, 7, payload)), FIRST_FRAGMENT),
    ),
  },
  { what: 'no next header', frame: v6(alice.ip6, Protocol.destination, extension(59, Buffer.alloc(0))) },
  { what: 'an EtherType that is neither IP nor ARP', frame: eth(bob.mac, alice.mac, 0x88b5, payload) },
  {
    what: 'an 802.3 frame, whose type is a length',
    frame: eth(bob.mac, alice.mac, 40, Buffer.alloc(40, 0xaa)),
  },
];

for (const { what, frame } of honest) {
  test(`lets ${what} through`, () => {
    assertForwarded(datapath, 'from_container', frame, ['LOCAL_DELIVERED']);
  });
}

const tag = (frame: Buffer, type: string): Buffer =>
  Buffer.concat([frame.subarray(0, 12), hex(type), hex('0005'), frame.subarray(12)]);
const chain = (headers: number): Buffer =>
  headers === 0
    ? udp(7, 7, payload)
    : extension(headers === 1 ? Protocol.udp : Protocol.destination, chain(headers - 1));

/* Bytes behind the IPv6 packet, which its receiver cuts off, must not pass for the header that a later fragment brings. */
const beyond = (length: number, first: number, body: Buffer): Buffer =>
  eth(
    bob.mac,
    alice.mac,
    'ipv6',
    ipv6(
      { from: alice.ip6, to: bob.ip6, next: Protocol.fragment, payloadLength: length },
      extension(first, body, FIRST_FRAGMENT),
    ),
  );

const hostile = [
  { reason: 'SPOOFED_MAC', what: "a neighbour's MAC", frame: patch(v4(), 6, [2, 0, 0, 0, 0, 2]) },
  { reason: 'SPOOFED_MAC', what: "the gateway's MAC", frame: patch(v4(), 6, hex(gateway.mac)) },
  { reason: 'SPOOFED_MAC', what: 'a MAC that differs in its last bit', frame: patch(v4(), 11, [0]) },
  { reason: 'SPOOFED_MAC', what: 'a group address as source', frame: patch(v4(), 6, [3]) },
  { reason: 'SPOOFED_IP', what: "a neighbour's IPv4 address", frame: v4(bob.ip4) },
  { reason: 'SPOOFED_IP', what: "the gateway's IPv4 address", frame: v4(gateway.ip4) },
  { reason: 'SPOOFED_IP', what: 'an address of another network', frame: v4('192.0.2.9') },
  { reason: 'SPOOFED_IP', what: 'no IPv4 address (DHCP)', frame: v4('0.0.0.0') },
  {
    reason: 'SPOOFED_IP',
    what: 'an address of others in a later fragment',
    frame: v4(bob.ip4, { fragment: 0x00b9 }),
  },
  { reason: 'SPOOFED_IP', what: "a neighbour's IPv6 address", frame: v6(bob.ip6) },
  { reason: 'SPOOFED_IP', what: "a neighbour's link-local address", frame: v6(bob.linkLocal) },
  { reason: 'SPOOFED_IP', what: 'its IPv4 address mapped into IPv6', frame: v6(`::ffff:${alice.ip4}`) },
  { reason: 'SPOOFED_IP', what: 'UDP without an IPv6 address', frame: v6('::') },
  {
    reason: 'SPOOFED_IP',
    what: 'a ping without an IPv6 address',
    frame: v6('::', Protocol.icmp6, Buffer.alloc(8, 128)),
  },
  {
    reason: 'SPOOFED_IP',
    what: 'a later fragment without an IPv6 address',
    frame: v6('::', Protocol.fragment, extension(Protocol.udp, payload, LATER_FRAGMENT)),
  },
  { reason: 'VLAN', what: 'an 802.1Q tag', frame: tag(v4(), '8100') },
  { reason: 'VLAN', what: 'an 802.1ad tag', frame: tag(v4(), '88a8') },
  { reason: 'VLAN', what: 'two tags', frame: tag(tag(v4(), '8100'), '88a8') },
  {
    reason: 'TRUNCATED',
    what: 'a first fragment without its ICMPv6 header, and a harmless one behind its end',
    frame: beyond(16, Protocol.destination, extension(Protocol.icmp6, Buffer.alloc(8, 128))),
  },
  {
    reason: 'TRUNCATED',
    what: 'a first fragment without an extension header, and a harmless one behind its end',
    frame: beyond(8, Protocol.destination, extension(Protocol.udp, udp(7, 7, payload))),
  },
  {
    reason: 'TRUNCATED',
    what: 'a first fragment without its UDP header',
    frame: beyond(8, Protocol.udp, Buffer.alloc(0)),
  },
  {
    reason: 'FORBIDDEN_ND',
    what: 'more extension headers than anything honest has',
    frame: v6(alice.ip6, Protocol.destination, chain(7)),
  },
];

for (const { reason, what, frame } of hostile) {
  test(`drops ${what}`, () => {
    assertForwarded(datapath, 'from_container', v4(), ['LOCAL_DELIVERED']);
    assertForwarded(datapath, 'from_container', v6(), ['LOCAL_DELIVERED']);
    const before = datapath.traffic('endpoint_counters', alice.slot);
    assertDropped(datapath.run('from_container', frame), reason, frame, what);
    const after = datapath.traffic('endpoint_counters', alice.slot);
    assert.is(after.drops - before.drops, 1n, 'counted for the endpoint');
    assert.is(after.txPackets, before.txPackets, 'not counted as sent');
  });
}

test('forwards what claims any inner length from 0 to 65535: lengths are taken from the frame', () => {
  for (const claimed of [0, 1, 19, 20, 28, 33, 34, 1450, 1451, 0x7fff, 0xffff]) {
    for (const frame of [
      patch(v4(), 16, [claimed >> 8, claimed & 255]),
      patch(v6(), 18, [claimed >> 8, claimed & 255]),
    ]) {
      const out = assertForwarded(datapath, 'from_container', frame, ['LOCAL_DELIVERED']);
      assert.ok(out.equals(frame), `${claimed} claimed bytes: nothing is changed`);
    }
  }
});

test('asks for no more than an IP header of a cut-off packet', () => {
  for (let length = SHORTEST_IPV4; length < v4().length; length++) {
    assertForwarded(datapath, 'from_container', v4().subarray(0, length), ['LOCAL_DELIVERED']);
  }
  for (let length = SHORTEST_IPV6; length < v6().length; length++) {
    assertForwarded(datapath, 'from_container', v6().subarray(0, length), ['LOCAL_DELIVERED']);
  }
});

test('drops extension headers that are cut off at any byte', () => {
  const whole = v6(alice.ip6, Protocol.hopByHop, extension(Protocol.icmp6, Buffer.from([128])));
  assertForwarded(datapath, 'from_container', whole, ['LOCAL_DELIVERED']);
  for (let length = SHORTEST_IPV6; length < whole.length; length++) {
    const frame = whole.subarray(0, length);
    /* Four bytes of an extension header say what follows and where: there the next header is missing. */
    assertDropped(datapath.run('from_container', frame), 'TRUNCATED', frame, `${length} bytes`);
  }
});

test('drops everything of a host end that no endpoint owns', () => {
  datapath.map('endpoints').delete(Buffer.from([alice.ifindex, 0, 0, 0]));
  try {
    assertDropped(datapath.run('from_container', v4()), 'UNKNOWN_ENDPOINT', v4(), 'no endpoint');
  } finally {
    datapath.setEndpoint(0);
  }
});

test('hands frames for the gateway to the host, but not on an internal network', () => {
  const out = v4(alice.ip4, {}, gateway);
  const run = datapath.run('from_container', out);
  assert.equal({ ...run, out: [] }, { verdict: 'redirect', out: [], drops: [], events: ['GATEWAY'] });
  datapath.setEndpoint(EndpointFlags.INTERNAL, SECRET_VNI);
  try {
    assertForwarded(datapath, 'from_container', v4(), ['LOCAL_DELIVERED']);
    assertDropped(datapath.run('from_container', out), 'INTERNAL', out, 'internal');
  } finally {
    datapath.setEndpoint(0, VNI);
  }
});

test('hands nothing but IP to the host', () => {
  assertForwarded(datapath, 'from_container', v4(alice.ip4, {}, gateway), ['GATEWAY']);
  for (const type of [0x8847, 0x8864, 40]) {
    const frame = eth(gateway.mac, alice.mac, type, Buffer.alloc(40));
    assertDropped(datapath.run('from_container', frame), 'NOT_IP', frame, `EtherType ${type}`);
  }
});

test('drops frames for an endpoint whose node has no route', () => {
  const frame = patch(v4(alice.ip4, {}, carol), 0, [2, 0, 0, 0, 0, 5]);
  assertForwarded(datapath, 'from_container', patch(frame, 5, [3]), ['REMOTE_SENT']);
  assertDropped(datapath.run('from_container', frame), 'NO_VTEP', frame, 'no vtep');
});

test.run();
