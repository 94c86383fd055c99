/*
 * The common packets, and what each program has to make of them: a case is timed only after its verdict and its counters
 * were seen to be these, so that no case times a drop by mistake. Actors and maps are those of the packet tests.
 */
import {
  alice,
  bob,
  carol,
  dave,
  everyone,
  gateway,
  MTU,
  node,
  peer,
  stranger,
} from '../packet/support/actors.js';
import { ip, mac } from '../packet/support/bytes.js';
import type { Program, RunOptions, Verdict } from '../packet/support/datapath.js';
import { arp, echo, eth, icmp6, ipv4, ipv6, Protocol, tcp, udp } from '../packet/support/frames.js';
import { innerArp, over4, over6 } from '../packet/support/underlay.js';

export interface Expected {
  verdict: Verdict;
  drops: readonly string[];
  events: readonly string[];
}

export interface Case {
  program: Program;
  /** Unique for the program. */
  what: string;
  frame: Buffer;
  expected: Expected;
  gsoSize?: RunOptions['gsoSize'];
  /**
   * What it needs beyond the maps: a network with members to flood; tunnel metadata; a netkit's transmission, not the
   * reception of a veth; or programs that remember no rows, as all do after each write of the maps. The others find in
   * their memory what their maps hold.
   */
  needs?: 'members' | 'tunnel' | 'forgetting' | 'transmission';
}

/** Segments of an aggregate as TCP makes them for the overlay. */
const SEGMENT = MTU - 40;
/** As much as a test run takes, beside the kernel's own room in the page. */
const AGGREGATE = 2 * SEGMENT;

interface Actor {
  mac: string;
  ip4: string;
  ip6: string;
}

const forwarded = (...events: string[]): Expected => ({ verdict: 'redirect', drops: [], events });
const dropped = (reason: string): Expected => ({ verdict: 'drop', drops: [reason], events: [] });
const passed: Expected = { verdict: 'next', drops: [], events: [] };
const SENT = forwarded('REMOTE_SENT');
const RECEIVED = forwarded('REMOTE_RECEIVED');

const datagram = (length: number): Buffer => udp(40000, 7, Buffer.alloc(length, 0x61));
const segment = (length: number): Buffer => tcp(Buffer.alloc(length, 0x61));

function v4(from: Actor, to: Actor, body: Buffer, protocol = Protocol.udp): Buffer {
  return eth(
    to.mac,
    from.mac,
    'ipv4',
    ipv4({ from: from.ip4, to: to.ip4, protocol, fragment: 0x4000 }, body),
  );
}

function v6(from: Actor, to: Actor, body: Buffer, next = Protocol.udp): Buffer {
  return eth(to.mac, from.mac, 'ipv6', ipv6({ from: from.ip6, to: to.ip6, next }, body));
}

/** Somebody on the host's side of the gateway. */
const outsider: Actor = { mac: gateway.mac, ip4: '203.0.113.7', ip6: '2001:db8:7::7' };

const solicitation = ((): Buffer => {
  const to = 'ff02::1:ff00:3';
  const body = Buffer.concat([Buffer.alloc(4), ip(bob.ip6), Buffer.from([1, 1]), mac(alice.mac)]);
  const message = icmp6(alice.ip6, to, 135, body);
  const packet = ipv6({ from: alice.ip6, to, next: Protocol.icmp6, hopLimit: 255 }, message);
  return eth('33:33:ff:00:00:03', alice.mac, 'ipv6', packet);
})();

const question = eth(
  everyone.mac,
  alice.mac,
  'arp',
  arp({ operation: 1, senderMac: alice.mac, sender: alice.ip4, target: bob.ip4 }),
);
const inward = v4(carol, alice, datagram(64));

type Row = Omit<Case, 'program'>;

const fromContainer: Row[] = [
  { what: 'UDP 64 B to another node', frame: v4(alice, carol, datagram(64)), expected: SENT },
  {
    what: 'UDP 64 B to another node, nothing remembered',
    frame: v4(alice, carol, datagram(64)),
    needs: 'forgetting',
    expected: SENT,
  },
  {
    what: 'UDP 64 B to another node, out of a netkit',
    frame: v4(alice, carol, datagram(64)),
    needs: 'transmission',
    expected: SENT,
  },
  { what: 'UDP 1400 B to another node', frame: v4(alice, carol, datagram(1400)), expected: SENT },
  { what: 'TCP 64 B to another node', frame: v4(alice, carol, segment(64), Protocol.tcp), expected: SENT },
  {
    what: 'TCP, a full segment, to another node',
    frame: v4(alice, carol, segment(SEGMENT), Protocol.tcp),
    expected: SENT,
  },
  {
    what: 'TCP, an aggregate of two segments that adjust_room refuses, to plaitvx',
    frame: v4(alice, carol, segment(AGGREGATE), Protocol.tcp),
    gsoSize: SEGMENT,
    expected: forwarded('REMOTE_SENT', 'SLOW_SENT'),
  },
  {
    what: 'ICMP echo to another node',
    frame: v4(alice, carol, echo(Buffer.alloc(56)), Protocol.icmp),
    expected: SENT,
  },
  { what: 'UDP 64 B over IPv6 to another node', frame: v6(alice, carol, datagram(64)), expected: SENT },
  {
    what: 'UDP 64 B to another node over an IPv6 underlay',
    frame: v4(alice, dave, datagram(64)),
    expected: SENT,
  },
  {
    what: 'UDP 64 B over IPv6 to another node over an IPv6 underlay',
    frame: v6(alice, dave, datagram(64)),
    expected: SENT,
  },
  {
    what: 'UDP 64 B to a container here',
    frame: v4(alice, bob, datagram(64)),
    expected: forwarded('LOCAL_DELIVERED'),
  },
  {
    what: 'TCP, an aggregate of two segments, to a container here',
    frame: v4(alice, bob, segment(AGGREGATE), Protocol.tcp),
    gsoSize: SEGMENT,
    expected: forwarded('LOCAL_DELIVERED'),
  },
  {
    what: 'UDP 64 B to the gateway',
    frame: v4(alice, outsider, datagram(64)),
    expected: forwarded('GATEWAY'),
  },
  { what: 'ARP, answered', frame: question, expected: forwarded('ARP_ANSWERED') },
  { what: 'neighbour solicitation, answered', frame: solicitation, expected: forwarded('ND_ANSWERED') },
  {
    what: 'UDP with a source address of others, dropped',
    frame: v4({ ...bob, mac: alice.mac }, carol, datagram(64)),
    expected: dropped('SPOOFED_IP'),
  },
  {
    what: 'UDP too big for the path, answered',
    frame: v4(alice, carol, datagram(1600)),
    expected: { verdict: 'redirect', drops: ['TOO_BIG_ANSWERED'], events: [] },
  },
  {
    what: 'a broadcast, to three containers here',
    frame: v4(alice, { ...everyone, ip4: '10.10.0.255', ip6: 'ff02::1' }, datagram(64)),
    needs: 'members',
    expected: { verdict: 'drop', drops: [], events: ['FLOODED'] },
  },
];

const arpReply = over4(innerArp);

const fromUnderlay: Row[] = [
  { what: 'UDP 64 B', frame: over4(inward), expected: RECEIVED },
  {
    what: 'UDP 64 B, nothing remembered',
    frame: over4(inward),
    needs: 'forgetting',
    expected: RECEIVED,
  },
  { what: 'UDP 1400 B', frame: over4(v4(carol, alice, datagram(1400))), expected: RECEIVED },
  {
    what: 'TCP, a full segment',
    frame: over4(v4(carol, alice, segment(SEGMENT), Protocol.tcp)),
    expected: RECEIVED,
  },
  { what: 'UDP 64 B over IPv6', frame: over4(v6(carol, alice, datagram(64))), expected: RECEIVED },
  { what: 'UDP 64 B over an IPv6 underlay', frame: over6(inward), expected: RECEIVED },
  { what: 'ARP reply', frame: arpReply, expected: RECEIVED },
  {
    what: 'VXLAN without the I flag, dropped',
    frame: over4(inward, { flags: 0 }),
    expected: dropped('BAD_VXLAN'),
  },
  {
    what: 'VXLAN of an unknown VNI, dropped',
    frame: over4(inward, { vni: 5000 }),
    expected: dropped('UNKNOWN_VNI'),
  },
  {
    what: 'VXLAN of an unlisted sender, dropped',
    frame: over4(inward, { from: stranger.ip4 }),
    expected: dropped('UNLISTED_SENDER'),
  },
  {
    what: "the host's own UDP, passed on",
    frame: over4(inward, { port: 53 }),
    expected: passed,
  },
  {
    what: "the host's own TCP, passed on",
    frame: v4(peer, node, segment(64), Protocol.tcp),
    expected: passed,
  },
  {
    what: "the host's own TCP over IPv6, passed on",
    frame: v6(peer, node, segment(64), Protocol.tcp),
    expected: passed,
  },
  { what: 'ARP of the underlay, passed on', frame: innerArp, expected: passed },
];

const fromHost: Row[] = [
  { what: 'UDP 64 B', frame: v4(outsider, bob, datagram(64)), expected: forwarded('FROM_HOST') },
  { what: 'UDP 64 B over IPv6', frame: v6(outsider, bob, datagram(64)), expected: forwarded('FROM_HOST') },
  {
    what: 'to a container of another node, dropped',
    frame: v4(outsider, carol, datagram(64)),
    expected: dropped('HOST_REMOTE'),
  },
  {
    what: 'multicast, which goes nowhere',
    frame: v4(outsider, { ...outsider, ip4: '224.0.0.22' }, datagram(64)),
    expected: { verdict: 'drop', drops: [], events: ['HOST_MULTICAST'] },
  },
];

const fromVxlan: Row[] = [
  { what: 'UDP 64 B', frame: inward, needs: 'tunnel', expected: forwarded('SLOW_RECEIVED') },
  { what: 'a frame that came through no tunnel, dropped', frame: inward, expected: dropped('DECAP_FAILED') },
];

const filtered = (reason: string): Expected => ({ verdict: 'drop', drops: [reason], events: ['FILTERED'] });

/** What it drops is what from_underlay drops, and what it passes is what it does not. */
const underlayFilter: Row[] = fromUnderlay.map(({ expected: { verdict, drops }, what, ...rest }) => {
  const [reason] = drops;
  if (reason) return { ...rest, what, expected: filtered(reason) };
  return { ...rest, what: verdict === 'redirect' ? `${what}, passed on` : what, expected: passed };
});

/** The same; and what is IP, for a container that is ready for it, goes there. */
const underlayDeliver: Row[] = underlayFilter.map((row, index) => {
  const { what = row.what, frame, expected } = fromUnderlay[index] ?? row;
  const isDelivered = expected.verdict === 'redirect' && frame !== arpReply;
  if (!isDelivered) return row;
  return { ...row, what, expected: { ...expected, events: [...expected.events, 'XDP_DELIVERED'] } };
});

const of = (program: Program, rows: readonly Row[]): Case[] => rows.map((row) => ({ program, ...row }));

export const CASES: readonly Case[] = [
  ...of('from_container', fromContainer),
  ...of('from_underlay', fromUnderlay),
  ...of('from_host', fromHost),
  ...of('from_vxlan', fromVxlan),
  ...of('underlay_filter', underlayFilter),
  ...of('underlay_deliver', underlayDeliver),
];

export const nameOf = ({ program, what }: Pick<Case, 'program' | 'what'>): string => `${program}: ${what}`;
