// kernels: one
/*
 * Valid packets, spoilt at random: every one gets a verdict that is documented and is counted once, and the kernel has
 * nothing to complain of. PLAIT_FUZZ=200000 runs that many for each program; a failure names the seed and the frame.
 */
import { execFileSync } from 'node:child_process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { EndpointFlags } from '../../src/datapath/types.gen.js';
import {
  alice,
  bob,
  carol,
  dave,
  everyone,
  gateway,
  nobody,
  node,
  PORT,
  peer,
  stranger,
  VNI,
} from './support/actors.js';
import { captures } from './support/captures.js';
import { type Program, type Run, TestDatapath, type Verdict } from './support/datapath.js';
import { arp, echo, eth, extension, icmp6, ipv4, ipv6, Protocol, tcp, udp, vxlan } from './support/frames.js';
import { assertDeliveryAgrees, assertHooksAgree } from './support/rows.js';

const TIMES = Number(process.env.PLAIT_FUZZ ?? 4000);
const SEED = Number(process.env.PLAIT_FUZZ_SEED ?? Date.now() % 2 ** 32);
const EINVAL = 'EINVAL';

const test = suite('random packets');
const datapath = await TestDatapath.load();
test.after(() => datapath.close());

/** What ends a frame's way, but for drops. Others (SLOW_SENT, and REMOTE_RECEIVED before FLOODED) come on top. */
const ENDS = {
  redirect: [
    'LOCAL_DELIVERED',
    'REMOTE_SENT',
    'REMOTE_RECEIVED',
    'GATEWAY',
    'FROM_HOST',
    'ARP_ANSWERED',
    'ND_ANSWERED',
    'SLOW_RECEIVED',
  ],
  drop: ['FLOODED', 'HOST_MULTICAST'],
};

const data = udp(7, 7, Buffer.alloc(40));
const actors = [alice, bob, carol, dave, gateway, nobody, everyone];
const solicitation = (source: string, target: Buffer): Buffer =>
  icmp6(
    source,
    'ff02::1:ff00:3',
    135,
    Buffer.concat([Buffer.alloc(4), target, Buffer.from([1, 1, 2, 0, 0, 0, 0, 1])]),
  );
const fromAlice = actors.flatMap(({ mac }) => [
  eth(mac, alice.mac, 'ipv4', ipv4({ from: alice.ip4, to: carol.ip4, protocol: Protocol.udp }, data)),
  eth(
    mac,
    alice.mac,
    'ipv4',
    ipv4({ from: alice.ip4, to: carol.ip4, protocol: 6, fragment: 0x4000 }, tcp(Buffer.alloc(2000))),
  ),
  eth(
    mac,
    alice.mac,
    'ipv4',
    ipv4({ from: alice.ip4, to: carol.ip4, protocol: 1 }, echo(Buffer.alloc(1500))),
  ),
  eth(mac, alice.mac, 'ipv6', ipv6({ from: alice.ip6, to: dave.ip6, next: 17 }, data)),
  eth(mac, alice.mac, 'ipv6', ipv6({ from: alice.ip6, to: dave.ip6, next: 6 }, tcp(Buffer.alloc(2000)))),
  eth(
    mac,
    alice.mac,
    'ipv6',
    ipv6(
      { from: alice.ip6, to: dave.ip6, next: 0 },
      extension(44, extension(58, icmp6(alice.ip6, dave.ip6, 128, Buffer.alloc(60)), [0, 0, 1, 0, 0, 0, 1])),
    ),
  ),
  eth(
    mac,
    alice.mac,
    'ipv6',
    ipv6(
      { from: alice.ip6, to: dave.ip6, next: 60 },
      extension(58, icmp6(alice.ip6, dave.ip6, 2, Buffer.alloc(1600))),
    ),
  ),
  eth(
    mac,
    alice.mac,
    'ipv6',
    ipv6(
      { from: alice.ip6, to: bob.ip6, next: 58, hopLimit: 255 },
      solicitation(alice.ip6, Buffer.from('fd000010000000000000000000000003', 'hex')),
    ),
  ),
  eth(mac, alice.mac, 'arp', arp({ operation: 1, senderMac: alice.mac, sender: alice.ip4, target: bob.ip4 })),
  eth(mac, alice.mac, 0x88b5, Buffer.alloc(60)),
]);
const toAlice = [
  eth(alice.mac, carol.mac, 'ipv4', ipv4({ from: carol.ip4, to: alice.ip4, protocol: 17, tos: 1 }, data)),
  eth(
    alice.mac,
    carol.mac,
    'ipv6',
    ipv6({ from: carol.ip6, to: alice.ip6, next: 17, trafficClass: 2 }, data),
  ),
  eth(
    everyone.mac,
    carol.mac,
    'arp',
    arp({ operation: 1, senderMac: carol.mac, sender: carol.ip4, target: alice.ip4 }),
  ),
  eth(dave.mac, carol.mac, 0x88b5, Buffer.alloc(60)),
];
const outer = (inner: Buffer, from: { ip4: string; ip6: string }): Buffer[] => {
  const datagram = udp(50000, PORT, vxlan(VNI, inner));
  return [
    eth(node.mac, peer.mac, 'ipv4', ipv4({ from: from.ip4, to: node.ip4, protocol: 17, tos: 3 }, datagram)),
    eth(
      node.mac,
      peer.mac,
      'ipv6',
      ipv6({ from: from.ip6, to: node.ip6, next: 17, trafficClass: 3 }, datagram),
    ),
  ];
};
const fromUnderlay = [
  ...captures.map(({ frame }) => frame),
  ...toAlice.flatMap((inner) => [...outer(inner, peer), ...outer(inner, stranger)]),
];
const fromHost = [
  eth(bob.mac, gateway.mac, 'ipv4', ipv4({ from: gateway.ip4, to: bob.ip4, protocol: 17 }, data)),
  eth(
    bob.mac,
    gateway.mac,
    'ipv4',
    ipv4({ from: gateway.ip4, to: carol.ip4, protocol: 6 }, tcp(Buffer.alloc(2000))),
  ),
  eth(bob.mac, gateway.mac, 'ipv6', ipv6({ from: gateway.ip6, to: bob.ip6, next: 17 }, data)),
  eth(
    bob.mac,
    gateway.mac,
    'ipv6',
    ipv6({ from: gateway.ip6, to: bob.ip6, next: 0 }, extension(58, Buffer.alloc(1600))),
  ),
];

/** xorshift32: the same frames for the same seed. */
function generator(seed: number): (below: number) => number {
  let state = seed || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

const BYTES = [
  0, 1, 2, 4, 6, 8, 17, 43, 44, 45, 50, 51, 58, 59, 60, 0x40, 0x45, 0x4f, 0x60, 0x81, 0x86, 0xdd, 0xfe, 0xff,
];

function spoil(frame: Buffer, random: (below: number) => number): Buffer {
  let spoilt: Buffer = Buffer.from(frame);
  for (let n = random(4); n >= 0; n--) {
    // Two of three in the headers, where all decisions are taken.
    const at = random(random(3) ? Math.min(spoilt.length, 120) : spoilt.length);
    const kind = random(8);
    if (kind < 3) spoilt[at] = (spoilt[at] ?? 0) ^ (1 << random(8));
    else if (kind < 6) spoilt[at] = BYTES[random(BYTES.length)] ?? 0;
    else if (kind === 6) spoilt = spoilt.subarray(0, Math.max(14, at));
    else spoilt = Buffer.concat([spoilt, Buffer.alloc(1 + random(64), random(256))]);
  }
  return spoilt;
}

function assertOrderly({ verdict, drops, events }: Run, program: Program, frame: Buffer): void {
  const ends = verdict === 'next' ? [] : events.filter((event) => ENDS[verdict].includes(event));
  const what = `${program}, seed ${SEED}: ${verdict} ${drops} ${events} of ${frame.toString('hex')}`;
  assert.is(drops.length + ends.length, verdict === 'next' ? 0 : 1, what);
  if (verdict === 'redirect' && drops.length > 0) assert.equal(drops, ['TOO_BIG_ANSWERED'], what);
  if (verdict === 'next') assert.is(program, 'from_underlay', what);
}

/** Complaints of the kernel; empty where they must not be read. */
function complaints(): string[] {
  try {
    const log = execFileSync('dmesg', { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return log.split('\n').filter((line) => /WARNING|BUG:|Oops|Call Trace|hw csum failure/.test(line));
  } catch {
    return [];
  }
}

for (const [program, frames] of [
  ['from_container', fromAlice],
  ['from_underlay', fromUnderlay],
  ['from_host', fromHost],
  ['from_vxlan', toAlice],
] as [Program, Buffer[]][]) {
  test(`${program} ends every one of ${TIMES} in one way, and counts it once`, () => {
    const random = generator(SEED);
    const before = complaints();
    const seen = new Map<string, number>();
    for (const frame of frames) assertOrderly(datapath.run(program, frame), program, frame);
    for (let i = 0; i < TIMES; i++) {
      const frame = spoil(frames[random(frames.length)] as Buffer, random);
      const gsoSize = random(8) === 0 ? 1 + random(1500) : 0;
      const run = tryRun(program, frame, gsoSize);
      if (!run) continue;
      assertOrderly(run, program, frame);
      const end = `${run.verdict} ${run.drops[0] ?? run.events[0] ?? ''}`;
      seen.set(end, (seen.get(end) ?? 0) + 1);
    }
    if (process.env.PLAIT_FUZZ) console.log(program, Object.fromEntries([...seen].sort()));
    assert.ok(program === 'from_vxlan' || seen.size > 5, 'the frames are not all alike');
    assert.equal(complaints().slice(before.length), []);
  });
}

test(`from_container judges each of ${TIMES} alike behind a reception and inside a transmission`, () => {
  const random = generator(SEED);
  for (let i = 0; i < TIMES; i++) {
    const frame = spoil(fromAlice[random(fromAlice.length)] as Buffer, random);
    const received = tryRun('from_container', frame, 0);
    if (!received) continue;
    const { verdict, drops, events } = datapath.run('from_container', frame, { transmitting: true });
    const what = `seed ${SEED}: ${frame.toString('hex')}`;
    assert.equal([drops, events], [received.drops, received.events], what);
    assert.is(verdict, 'redirect', what);
  }
});

test(`underlay_filter drops nothing of ${TIMES} that from_underlay would not drop for the same reason`, () => {
  const random = generator(SEED);
  let [passed, filtered] = [0, 0];
  for (let i = 0; i < TIMES; i++) {
    const frame = spoil(fromUnderlay[random(fromUnderlay.length)] as Buffer, random);
    if (!tryRun('from_underlay', frame, 0)) continue;
    if (assertHooksAgree(datapath, frame, `seed ${SEED}: ${frame.toString('hex')}`)) filtered += 1;
    else passed += 1;
  }
  if (process.env.PLAIT_FUZZ) console.log('underlay_filter', { passed, filtered });
  assert.ok(passed > TIMES / 10 && filtered > TIMES / 10, `${passed} passed, ${filtered} were dropped`);
});

test(`underlay_deliver makes of each of ${TIMES} what from_underlay makes of it, or leaves it alone`, () => {
  const random = generator(SEED);
  const verdicts: Record<Verdict, number> = { next: 0, drop: 0, redirect: 0 };
  datapath.setEndpoint(EndpointFlags.TAKES_XDP);
  try {
    for (let i = 0; i < TIMES; i++) {
      const frame = spoil(fromUnderlay[random(fromUnderlay.length)] as Buffer, random);
      if (!tryRun('from_underlay', frame, 0)) continue;
      verdicts[assertDeliveryAgrees(datapath, frame, `seed ${SEED}: ${frame.toString('hex')}`)] += 1;
    }
  } finally {
    datapath.setEndpoint(0);
  }
  if (process.env.PLAIT_FUZZ) console.log('underlay_deliver', verdicts);
  for (const [verdict, count] of Object.entries(verdicts))
    assert.ok(count > TIMES / 20, `${count} ${verdict}`);
});

/** Frames that the test run itself refuses (too short for their EtherType) tell nothing. */
function tryRun(program: Program, frame: Buffer, gsoSize: number): Run | undefined {
  try {
    return datapath.run(program, frame, { gsoSize });
  } catch (error) {
    if ((error as { code?: string }).code === EINVAL || /EINVAL/.test(String(error))) return undefined;
    throw error;
  }
}

test.run();
