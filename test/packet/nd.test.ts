/* Neighbour discovery from a container: answered from the map, guarded, or flooded. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { alice, bob, carol, gateway, nobody } from './support/actors.js';
import { hex, ip, mac, patch } from './support/bytes.js';
import { TestDatapath } from './support/datapath.js';
import { eth, extension, icmp6, ipv6, Protocol } from './support/frames.js';
import { assertDropped, SHORTEST_IPV6 } from './support/rows.js';
import { decode } from './support/tshark.js';

const test = suite('neighbour discovery');
const datapath = await TestDatapath.load();
test.after(() => datapath.close());

const ROUTER_SOLICIT = 133;
const ROUTER_ADVERT = 134;
const SOLICIT = 135;
const ADVERT = 136;
const REDIRECT = 137;
const ALL_NODES = 'ff02::1';
const MULTICAST_MAC = '33:33:ff:00:00:03';

interface Message {
  from?: string;
  to?: string;
  type?: number;
  target?: string;
  /** Link-layer address option: type and MAC. */
  option?: readonly [number, string] | undefined;
  hopLimit?: number;
}

function message(fields: Message): Buffer {
  const {
    from = alice.ip6,
    to = 'ff02::1:ff00:3',
    type = SOLICIT,
    target = bob.ip6,
    hopLimit = 255,
  } = fields;
  const option = 'option' in fields ? fields.option : ([1, alice.mac] as const);
  const options = option ? Buffer.concat([Buffer.from([option[0], 1]), mac(option[1])]) : Buffer.alloc(0);
  const body = Buffer.concat([Buffer.alloc(4), ip(target), options]);
  return eth(
    MULTICAST_MAC,
    alice.mac,
    'ipv6',
    ipv6({ from, to, next: Protocol.icmp6, hopLimit }, icmp6(from, to, type, body)),
  );
}

const advertisement = (
  from: string,
  to: string,
  flags: string,
  target: string,
  at: string,
  sum: string,
): string => `
  ${alice.mac} ${at} 86dd 60000000 0020 3a ff ${from} ${to} 88 00 ${sum} ${flags}000000 ${target} 02 01 ${at}`;
const text = (address: string): string => ip(address).toString('hex');

const answers = [
  {
    what: 'for a neighbour on this node',
    frame: message({}),
    out: advertisement(text(bob.ip6), text(alice.ip6), '60', text(bob.ip6), bob.mac, 'SUM'),
  },
  {
    what: 'for a neighbour on another node',
    frame: message({ target: carol.ip6 }),
    out: advertisement(text(carol.ip6), text(alice.ip6), '60', text(carol.ip6), carol.mac, 'SUM'),
  },
  {
    what: 'for a link-local address, asked from one',
    frame: message({ from: alice.linkLocal, target: bob.linkLocal }),
    out: advertisement(text(bob.linkLocal), text(alice.linkLocal), '60', text(bob.linkLocal), bob.mac, 'SUM'),
  },
  {
    what: 'for the gateway, as a router',
    frame: message({ target: gateway.ip6 }),
    out: advertisement(text(gateway.ip6), text(alice.ip6), 'e0', text(gateway.ip6), gateway.mac, 'SUM'),
  },
  {
    what: 'asked by unicast, without an option',
    frame: message({ to: bob.ip6, option: undefined }),
    out: advertisement(text(bob.ip6), text(alice.ip6), '60', text(bob.ip6), bob.mac, 'SUM'),
  },
  {
    what: 'to all nodes, when it is duplicate address detection of an address that somebody has',
    frame: message({ from: '::', option: undefined }),
    out: advertisement(text(bob.ip6), text(ALL_NODES), '20', text(bob.ip6), bob.mac, 'SUM'),
  },
];

for (const { what, frame, out } of answers) {
  test(`answers ${what}`, () => {
    const run = datapath.run('from_container', frame);
    assert.equal({ ...run, out: [] }, { verdict: 'redirect', out: [], drops: [], events: ['ND_ANSWERED'] });
    const sum = run.out.subarray(56, 58).toString('hex');
    assert.is(run.out.toString('hex'), hex(out.replace('SUM', sum)).toString('hex'));
    assert.equal(decode(run.out, ['icmpv6.type', 'icmpv6.checksum.status', '_ws.malformed']), {
      'icmpv6.type': String(ADVERT),
      'icmpv6.checksum.status': '1',
      '_ws.malformed': '',
    });
  });
}

/* This network has no flood list: what would be flooded is told by NO_MEMBERS. */
const floods = [
  { what: 'a question for an unknown address', frame: message({ target: nobody.ip6 }) },
  {
    what: 'duplicate address detection',
    frame: message({ from: '::', target: alice.ip6, option: undefined }),
  },
  {
    what: 'duplicate address detection of its link-local address',
    frame: message({ from: '::', target: alice.linkLocal, option: undefined }),
  },
  {
    what: 'its own advertisement',
    frame: message({ type: ADVERT, target: alice.ip6, option: [2, alice.mac] }),
  },
  {
    what: 'a multicast listener report before it has an address (RFC 3590)',
    frame: eth(
      '33:33:00:00:00:16',
      alice.mac,
      'ipv6',
      ipv6(
        { from: '::', to: 'ff02::16', next: Protocol.hopByHop, hopLimit: 1 },
        extension(Protocol.icmp6, icmp6('::', 'ff02::16', 143, Buffer.alloc(4)), [0, 5, 2, 0, 0, 1, 0]),
      ),
    ),
  },
];

for (const { what, frame } of floods) {
  test(`does not answer but flood ${what}`, () => {
    assertDropped(datapath.run('from_container', frame), 'NO_MEMBERS', frame, what);
  });
}

/** The message with another header in front of it, and the checksum as it was. */
const behind = (frame: Buffer, header: number, body?: number[]): Buffer =>
  Buffer.concat([
    frame.subarray(0, 18),
    Buffer.from([0, frame.length - 54 + 8, header, 255]),
    frame.subarray(22, 54),
    extension(Protocol.icmp6, frame.subarray(54), body),
  ]);

const lies = [
  {
    reason: 'SPOOFED_ARP',
    what: "somebody's MAC in a solicitation",
    frame: message({ option: [1, bob.mac] }),
  },
  {
    reason: 'SPOOFED_ARP',
    what: 'an advertisement of an address of others',
    frame: message({ type: ADVERT, target: bob.ip6, option: [2, alice.mac] }),
  },
  {
    reason: 'SPOOFED_ARP',
    what: "an advertisement with somebody's MAC",
    frame: message({ type: ADVERT, target: alice.ip6, option: [2, bob.mac] }),
  },
  {
    reason: 'SPOOFED_ARP',
    what: 'duplicate address detection of an unknown address of others',
    frame: message({ from: '::', target: nobody.ip6, option: undefined }),
  },
  {
    reason: 'SPOOFED_ARP',
    what: 'a MAC option longer than a MAC',
    frame: patch(Buffer.concat([message({}), Buffer.alloc(8)]), 79, [2]),
  },
  { reason: 'SPOOFED_IP', what: "somebody's source address", frame: message({ from: bob.ip6 }) },
  {
    reason: 'SPOOFED_IP',
    what: 'a router solicitation without address',
    frame: message({ from: '::', type: 133 }),
  },
  { reason: 'FORBIDDEN_ND', what: 'a router advertisement', frame: message({ type: ROUTER_ADVERT }) },
  { reason: 'FORBIDDEN_ND', what: 'a redirect', frame: message({ type: REDIRECT }) },
  { reason: 'FORBIDDEN_ND', what: 'a hop limit that tells of a router', frame: message({ hopLimit: 254 }) },
  {
    reason: 'FORBIDDEN_ND',
    what: 'a router advertisement behind a destination option',
    frame: behind(message({ type: ROUTER_ADVERT }), Protocol.destination),
  },
  {
    reason: 'FORBIDDEN_ND',
    what: 'a solicitation behind hop-by-hop options',
    frame: behind(message({}), Protocol.hopByHop),
  },
  {
    reason: 'FORBIDDEN_ND',
    what: 'a router advertisement in a first fragment',
    frame: behind(message({ type: ROUTER_ADVERT }), Protocol.fragment, [0, 0, 1, 0, 0, 0, 1]),
  },
  { reason: 'TRUNCATED', what: 'an option of length 0', frame: patch(message({}), 79, [0]) },
];

for (const { reason, what, frame } of lies) {
  test(`drops ${what} as ${reason}`, () => {
    assertDropped(datapath.run('from_container', frame), reason, frame, what);
  });
}

test('drops a solicitation that is cut off at any byte but the end of its options', () => {
  const whole = message({});
  assert.is(datapath.run('from_container', whole).verdict, 'redirect');
  const withoutOption = 78;
  for (let length = SHORTEST_IPV6; length < whole.length; length++) {
    const frame = whole.subarray(0, length);
    const run = datapath.run('from_container', frame);
    if (length === withoutOption) assert.is(run.verdict, 'redirect');
    else assertDropped(run, 'TRUNCATED', frame, `${length} bytes`);
  }
});

test('floods a router solicitation, which nobody here answers', () => {
  const frame = eth(
    '33:33:00:00:00:02',
    alice.mac,
    'ipv6',
    ipv6(
      { from: alice.linkLocal, to: 'ff02::2', next: Protocol.icmp6, hopLimit: 255 },
      icmp6(alice.linkLocal, 'ff02::2', ROUTER_SOLICIT, Buffer.alloc(4)),
    ),
  );
  assertDropped(datapath.run('from_container', frame), 'NO_MEMBERS', frame, 'router solicitation');
});

test.run();
