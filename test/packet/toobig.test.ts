/* Packets that do not fit: the sender is told how much does, in a message that tshark finds flawless. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { EndpointFlags } from '../../src/datapath/types.gen.js';
import { alice, bob, carol, dave, gateway, MTU, SECRET_VNI } from './support/actors.js';
import { patch } from './support/bytes.js';
import { TestDatapath } from './support/datapath.js';
import { echo, eth, extension, icmp6, ipv4, ipv6, Protocol, tcp, udp } from './support/frames.js';
import { assertDropped, assertForwarded } from './support/rows.js';
import { decode } from './support/tshark.js';

const test = suite('too big');
const datapath = await TestDatapath.load();
test.after(() => datapath.close());

interface Actor {
  mac: string;
  ip4: string;
  ip6: string;
}
const LENGTH = 1600;
const body = udp(7, 9, Buffer.alloc(LENGTH, 0x61));
const v4 = (to: Actor, fragment = 0x4000, protocol = Protocol.udp, data: Uint8Array = body): Buffer =>
  eth(to.mac, alice.mac, 'ipv4', ipv4({ from: alice.ip4, to: to.ip4, protocol, fragment }, data));
const v6 = (to: Actor, next = Protocol.udp, data: Uint8Array = body): Buffer =>
  eth(to.mac, alice.mac, 'ipv6', ipv6({ from: alice.ip6, to: to.ip6, next }, data));

const ANSWER4 = ['eth.src', 'eth.dst', 'ip.src', 'ip.dst', 'icmp.type', 'icmp.code', 'icmp.mtu'] as const;
const CHECKS4 = ['ip.checksum.status', 'icmp.checksum.status', 'ip.len'] as const;
const ANSWER6 = [
  'eth.src',
  'eth.dst',
  'ipv6.src',
  'ipv6.dst',
  'icmpv6.type',
  'icmpv6.mtu',
  'icmpv6.checksum.status',
] as const;

function answer(frame: Buffer, options = {}): Buffer {
  const run = datapath.run('from_container', frame, options);
  assert.equal(
    { ...run, out: [] },
    { verdict: 'redirect', out: [], drops: ['TOO_BIG_ANSWERED'], events: [] },
  );
  return run.out;
}

for (const { what, to, mtu } of [
  { what: 'on this node', to: bob, mtu: MTU },
  { what: 'over IPv4', to: carol, mtu: MTU },
  { what: 'over IPv6', to: dave, mtu: MTU - 20 },
]) {
  test(`tells an IPv4 sender, for a neighbour ${what}`, () => {
    const frame = v4(to);
    const out = answer(frame);
    assert.equal(decode(out, [...ANSWER4, ...CHECKS4]), {
      'eth.src': to.mac,
      'eth.dst': alice.mac,
      'ip.src': `${gateway.ip4},${alice.ip4}`,
      'ip.dst': `${alice.ip4},${to.ip4}`,
      'icmp.type': '3',
      'icmp.code': '4',
      'icmp.mtu': String(mtu),
      'ip.checksum.status': '1,1',
      'icmp.checksum.status': '1',
      'ip.len': `156,${LENGTH + 28}`,
    });
    assert.ok(out.subarray(42).equals(frame.subarray(14, 14 + 128)), 'quotes the packet');
  });

  test(`tells an IPv6 sender, for a neighbour ${what}`, () => {
    const frame = v6(to);
    const out = answer(frame);
    assert.equal(decode(out, ANSWER6), {
      'eth.src': to.mac,
      'eth.dst': alice.mac,
      'ipv6.src': `${gateway.ip6},${alice.ip6}`,
      'ipv6.dst': `${alice.ip6},${to.ip6}`,
      'icmpv6.type': '2',
      'icmpv6.mtu': String(mtu),
      'icmpv6.checksum.status': '1',
    });
    assert.ok(out.subarray(62).equals(frame.subarray(14, 14 + 128)), 'quotes the packet');
  });
}

test('answers from the destination’s address on a network without gateway', () => {
  datapath.setEndpoint(EndpointFlags.INTERNAL, SECRET_VNI);
  try {
    assert.equal(decode(answer(v4(carol)), ['ip.src', 'icmp.checksum.status']), {
      'ip.src': `${carol.ip4},${alice.ip4}`,
      'icmp.checksum.status': '1',
    });
    assert.equal(decode(answer(v6(carol)), ['ipv6.src', 'icmpv6.checksum.status']), {
      'ipv6.src': `${carol.ip6},${alice.ip6}`,
      'icmpv6.checksum.status': '1',
    });
  } finally {
    datapath.setEndpoint(0);
  }
});

test('measures a GSO packet by its segments', () => {
  const big = tcp(Buffer.alloc(2600, 1));
  const rows = [
    { frame: v4(carol, 0x4000, Protocol.tcp, big), headers: 40, mtu: MTU },
    { frame: v6(carol, Protocol.tcp, big), headers: 60, mtu: MTU },
    { frame: v4(dave, 0x4000, Protocol.tcp, big), headers: 40, mtu: MTU - 20 },
  ];
  for (const { frame, headers, mtu } of rows) {
    /* A test run cannot set the GSO type: hence the slow path. */
    assertForwarded(datapath, 'from_container', frame, ['REMOTE_SENT', 'SLOW_SENT'], {
      gsoSize: mtu - headers,
    });
    answer(frame, { gsoSize: mtu - headers + 1 });
  }
});

test('counts the TCP header with its options', () => {
  const options = patch(tcp(Buffer.alloc(2600, 1)), 12, [0x80]);
  const frame = v4(bob, 0x4000, Protocol.tcp, options);
  assertForwarded(datapath, 'from_container', frame, ['LOCAL_DELIVERED'], { gsoSize: MTU - 52 });
  answer(frame, { gsoSize: MTU - 51 });
});

test('refuses one byte more than fits, not what fits', () => {
  const exact = eth(
    bob.mac,
    alice.mac,
    'ipv6',
    ipv6({ from: alice.ip6, to: bob.ip6, next: 17 }, udp(1, 1, Buffer.alloc(MTU - 48))),
  );
  assert.is(exact.length, MTU + 14);
  assertForwarded(datapath, 'from_container', exact, ['LOCAL_DELIVERED']);
  answer(
    eth(
      bob.mac,
      alice.mac,
      'ipv6',
      ipv6({ from: alice.ip6, to: bob.ip6, next: 17 }, udp(1, 1, Buffer.alloc(MTU - 47))),
    ),
  );
});

const LATER_FRAGMENT = [0, 5, 0xa8, 0, 0, 0, 1];
const error6 = icmp6(alice.ip6, carol.ip6, 1, Buffer.alloc(LENGTH));
const ping6 = icmp6(alice.ip6, carol.ip6, 128, Buffer.alloc(LENGTH));
const error4 = patch(echo(Buffer.alloc(LENGTH)), 0, [3]);
const silent = [
  { what: 'ICMP error', frame: v4(carol, 0x4000, Protocol.icmp, error4) },
  { what: 'later fragment', frame: v4(carol, 0x40b9) },
  { what: 'packet for a group', frame: v4({ ...carol, ip4: '224.0.0.99' }) },
  { what: 'packet for everybody', frame: v4({ ...carol, ip4: '255.255.255.255' }) },
  { what: 'ICMPv6 error', frame: v6(carol, Protocol.icmp6, error6) },
  {
    what: 'ICMPv6 error behind extension headers',
    frame: v6(carol, Protocol.hopByHop, extension(Protocol.destination, extension(Protocol.icmp6, error6))),
  },
  {
    what: 'later fragment of ICMPv6, which may be an error',
    frame: v6(carol, Protocol.fragment, extension(Protocol.icmp6, ping6, LATER_FRAGMENT)),
  },
  {
    what: 'report of somebody without an address',
    frame: eth(
      carol.mac,
      alice.mac,
      'ipv6',
      ipv6(
        { from: '::', to: 'ff02::16', next: Protocol.hopByHop },
        extension(Protocol.icmp6, Buffer.alloc(LENGTH, 143), [0, 5, 2, 0, 0, 1, 0]),
      ),
    ),
  },
  { what: 'frame that is not IP', frame: eth(carol.mac, alice.mac, 0x88b5, Buffer.alloc(LENGTH)) },
];

for (const { what, frame } of silent) {
  test(`answers no ${what}`, () => {
    answer(v4(carol));
    assertDropped(datapath.run('from_container', frame), 'TOO_BIG', frame, what);
  });
}

test('leaves IPv4 without DF to be cut on an IPv4 underlay; on IPv6 the kernel would not', () => {
  assertForwarded(datapath, 'from_container', v4(carol, 0), ['REMOTE_SENT', 'SLOW_SENT']);
  assert.is(decode(answer(v4(dave, 0)), ['icmp.mtu'])['icmp.mtu'], String(MTU - 20));
});

test('answers a ping that is too big', () => {
  answer(v4(carol, 0x4000, Protocol.icmp, echo(Buffer.alloc(LENGTH))));
  answer(v6(carol, Protocol.icmp6, ping6));
});

test('answers what has extension headers, and later fragments of IPv6', () => {
  answer(v6(carol, Protocol.destination, extension(Protocol.icmp6, ping6)));
  answer(v6(carol, Protocol.destination, extension(Protocol.udp, body)));
  answer(v6(carol, Protocol.fragment, extension(Protocol.udp, body, LATER_FRAGMENT)));
});

test('answers about IPv6 for a group in the gateway’s name, and not in the group’s', () => {
  const frame = v6({ ...carol, ip6: 'ff02::99' });
  assert.is(decode(answer(frame), ['ipv6.src'])['ipv6.src'], `${gateway.ip6},${alice.ip6}`);
  datapath.setEndpoint(EndpointFlags.INTERNAL, SECRET_VNI);
  try {
    answer(v6(carol));
    assertDropped(datapath.run('from_container', frame), 'TOO_BIG', frame, 'no gateway');
  } finally {
    datapath.setEndpoint(0);
  }
});

test.run();
