// What is shown between two machines, in order. Each step leaves things as it found them, so that any one can be run alone.

import * as assert from 'uvu/assert';
import { type Counters, type Guest, type Pair, startAgents } from './two-vms-pair.js';
import {
  assertFast,
  assertNoDrops,
  copy,
  pingAll,
  pingSized,
  sizes,
  tcpBothWays,
  udp,
} from './two-vms-traffic.js';

export interface Step {
  name: string;
  /** A string that it returns is a remark for the report. */
  run: (pair: Pair) => Promise<unknown>;
  /** Left to `--all`: others come near to it, and every kernel has ten minutes. */
  extra?: true;
}

const FAMILIES = [4, 6] as const;
const UNDERLAY_MTU = 1500;
const OVERHEAD = { 4: 50, 6: 70 } as const;
const BIG_MTU = 3000;
/** Once an answer has come, ping waits two round trips for the other, which an emulated machine may need more of. */
const ANSWERED = / [12] received/;

const innerMtu = (pair: Pair): number => UNDERLAY_MTU - OVERHEAD[pair.underlay];

async function reachable(pair: Pair): Promise<void> {
  const grown = await pair.one.growth(() => pingAll(pair));
  assertFast(grown);
  assert.ok(
    (grown['remote-sent'] ?? 0) >= 12 && (grown['remote-received'] ?? 0) >= 12,
    JSON.stringify(grown),
  );
}

async function byName(pair: Pair): Promise<void> {
  await pair.one.sh('inside ping -c 1 -W 3 web2');
  await pair.two.sh('inside ping -6 -c 1 -W 3 web1.app');
}

async function datagrams(pair: Pair): Promise<void> {
  for (const family of FAMILIES) {
    const header = family === 4 ? 28 : 48;
    await udp(pair.one, pair.two, family, 18);
    await udp(pair.two, pair.one, family, innerMtu(pair) - header);
  }
}

async function sameBytes(pair: Pair): Promise<void> {
  await copy(pair.one, pair.two, 4, 3_000_000);
  await copy(pair.two, pair.one, 6, 3_000_000);
}

async function setOffloads(pair: Pair, state: 'on' | 'off', features: readonly string[]): Promise<void> {
  if (features.length === 0) return;
  const script = `offloads ${state} eth0 ${features.join(' ')}`;
  await Promise.all(pair.both.map((guest) => guest.sh(script)));
}

/** TCP both ways under some offloads of the underlay's NICs; how big the packets were on their way. */
async function streams(pair: Pair, off: readonly string[]): Promise<{ remark: string; sizes: number[] }> {
  const remarks: string[] = [];
  const seen: number[] = [];
  await setOffloads(pair, 'off', off);
  try {
    for (const family of FAMILIES) {
      let speed = { sent: 0, received: 0 };
      const grown = await pair.one.growth(async () => {
        speed = await tcpBothWays(pair, family);
      });
      // Endpoints that moved to the IPv6 underlay have the MTU of the other one, and learn.
      assertFast(grown, pair.underlay === 6 ? ['too-big-answered'] : []);
      const { sent, got } = sizes(grown);
      seen.push(got);
      const megabits = (bits: number): string => (bits / 1e6).toFixed(0);
      const rates = `${megabits(speed.sent)}/${megabits(speed.received)} Mbit/s`;
      remarks.push(`IPv${family} ${rates}, bytes per packet ${sent.toFixed(0)} out, ${got.toFixed(0)} in`);
    }
  } finally {
    await setOffloads(pair, 'on', off.toReversed()); // segmentation wants checksums
  }
  return { remark: remarks.join('; '), sizes: seen };
}

async function aggregates(pair: Pair): Promise<string> {
  const { remark, sizes: seen } = await streams(pair, []);
  for (const size of seen) assert.ok(size > 1.5 * UNDERLAY_MTU, `GRO makes aggregates: ${remark}`);
  return remark;
}

async function withoutAggregates(pair: Pair): Promise<string> {
  const { remark, sizes: seen } = await streams(pair, ['gro', 'tso', 'gso', 'tx']);
  for (const size of seen) assert.ok(size < UNDERLAY_MTU, `each packet by itself: ${remark}`);
  return remark;
}

async function withoutChecksums(pair: Pair): Promise<string> {
  return (await streams(pair, ['tx'])).remark;
}

async function containerOffloads(pair: Pair): Promise<string> {
  const set = (state: string): Promise<unknown> =>
    Promise.all(
      pair.both.map((guest) =>
        guest.sh(`inside ethtool -K eth0 tso ${state} gso ${state} tx ${state} >/dev/null`),
      ),
    );
  await set('off');
  try {
    return (await streams(pair, [])).remark;
  } finally {
    await set('on');
  }
}

/** What comes from elsewhere for a container, by way of the host's stack: aggregates of which 14 bytes are linear. */
async function egress(pair: Pair): Promise<string> {
  const port = 20_500;
  await pair.two.sh(
    `iperf3 -s -1 -p ${port} >/dev/null 2>&1 </dev/null & until ss -Hltn sport = :${port} | grep -q .; do sleep 0.05; done`,
  );
  const grown = await pair.one.growth(() =>
    pair.one.sh(`inside iperf3 -c ${pair.two.underlay(4)} -p ${port} -R -t 1`),
  );
  assertNoDrops(grown);
  assert.ok((grown['from-host'] ?? 0) > 50, JSON.stringify(grown));
  const { got } = sizes(grown);
  assert.ok(got > 4 * UNDERLAY_MTU, `aggregates from the NIC, ${got.toFixed(0)} bytes per packet`);
  return `${got.toFixed(0)} bytes per packet`;
}

async function mtuSized(pair: Pair): Promise<void> {
  const mtu = innerMtu(pair);
  for (const [from, to] of [
    [pair.one, pair.two],
    [pair.two, pair.one],
  ] as const) {
    for (const family of FAMILIES) {
      assert.match(await pingSized(from, to.address(family), mtu, 'do'), ANSWERED);
    }
  }
}

async function withContainerMtu<T>(pair: Pair, mtu: number, action: () => Promise<T>): Promise<T> {
  const set = (value: number): Promise<unknown> =>
    Promise.all(
      pair.both.map((guest) =>
        guest.sh(
          `inside ip link set eth0 mtu ${value}; inside ip route flush cache; inside ip -6 route flush cache`,
        ),
      ),
    );
  const was = Number(await pair.one.sh(`inside ip -j link show eth0 | jq .[0].mtu`));
  await set(mtu);
  try {
    return await action();
  } finally {
    await set(was);
  }
}

async function tooBig(pair: Pair): Promise<void> {
  const mtu = innerMtu(pair);
  await withContainerMtu(pair, BIG_MTU, async () => {
    for (const family of FAMILIES) {
      const target = pair.two.address(family);
      const grown = await pair.one.growth(async () => {
        assert.match(await pingSized(pair.one, target, mtu + 1, 'do'), new RegExp(`mtu ?= ?${mtu}`));
      });
      assertNoDrops(grown, ['too-big-answered']);
      assert.ok((grown['too-big-answered'] ?? 0) >= 1, JSON.stringify(grown));
      await copy(pair.one, pair.two, family, 200_000);
    }
  });
}

async function mayBeCut(pair: Pair): Promise<void> {
  await withContainerMtu(pair, BIG_MTU, async () => {
    const grown = await pair.two.growth(async () => {
      await pingSized(pair.one, pair.two.address(4), 2000, 'dont'); // over IPv6 the first is answered "too big"
      assert.match(await pingSized(pair.one, pair.two.address(4), 2000, 'dont'), ANSWERED);
    });
    assertNoDrops(grown, ['too-big-answered']);
    if (pair.underlay === 4) assert.ok((grown['slow-received'] ?? 0) >= 2, JSON.stringify(grown));
  });
}

async function tunnelInside(pair: Pair): Promise<void> {
  for (const [guest, peer] of [
    [pair.one, pair.two],
    [pair.two, pair.one],
  ] as const) {
    await guest.sh(`inside ip link add vx0 type vxlan id 5 remote ${peer.address(4)} dstport 8472
      inside ip address add 10.99.0.${guest.number}/24 dev vx0; inside ip link set vx0 up`);
  }
  try {
    const grown = await pair.one.growth(async () => {
      await pair.one.sh('inside ping -n -c 2 -i 0.1 -W 3 10.99.0.2');
      await pair.two.sh('serve 20600');
      const line = 'inside iperf3 -c 10.99.0.2 -p 20600 -t 1 -J';
      const { end } = await pair.one.json<{ end: { sum_received: { bits_per_second: number } } }>(line);
      assert.ok(end.sum_received.bits_per_second > 2e6, `${end.sum_received.bits_per_second} bit/s`);
    });
    assertNoDrops(grown);
    assert.ok((grown['slow-sent'] ?? 0) > 10, JSON.stringify(grown));
  } finally {
    await Promise.all(pair.both.map((guest) => guest.sh('inside ip link delete vx0')));
  }
}

async function toAll(pair: Pair): Promise<void> {
  await pair.two.sh('inside sysctl -qw net.ipv4.icmp_echo_ignore_broadcasts=0');
  const grown = await pair.one.growth(async () => {
    const broadcast = await pair.one.sh('inside ping -n -b -c 2 -i 0.1 -W 3 10.10.0.255 2>&1');
    assert.match(broadcast, new RegExp(`from ${pair.two.address(4)}`));
    assert.match(await pair.one.sh('inside ping -n -c 2 -i 0.1 -W 3 ff02::1%eth0'), /DUP|2 received/);
  });
  assertNoDrops(grown);
  assert.ok((grown.flooded ?? 0) >= 4, JSON.stringify(grown));
}

export const PLAIN_STEPS: readonly Step[] = [
  { name: 'containers reach each other by address, both IP versions', run: reachable },
  { name: 'containers reach each other by name', run: byName, extra: true },
  { name: 'UDP of 18 bytes and of the MTU: none is lost', run: datagrams },
  { name: 'the bytes that arrive by TCP are those that were sent', run: sameBytes, extra: true },
  { name: 'TCP both ways in aggregates, on the fast path', run: aggregates },
  { name: 'TCP both ways with all offloads of the NICs off', run: withoutAggregates },
  { name: 'TCP both ways with checksum offload off', run: withoutChecksums, extra: true },
  { name: 'TCP both ways with the containers’ offloads off', run: containerOffloads, extra: true },
  {
    name: 'aggregates that the NIC received for the host reach a container through the gateway',
    run: egress,
  },
  { name: 'packets of exactly the MTU pass with DF', run: mtuSized },
  { name: 'what does not fit is answered with the MTU, and TCP adapts', run: tooBig },
  { name: 'what does not fit and may be cut arrives', run: mayBeCut },
  { name: 'a tunnel inside the containers takes the slow path', run: tunnelInside, extra: true },
  { name: 'broadcast and multicast reach the other machine', run: toAll },
];

/** What members of a network meet, by a few packets, while one agent has not yet learnt of the other's latest. */
const WHILE_LEARNING = ['no-members', 'unknown-vni', 'unlisted-sender'];

/** Every drop since the machines started has a reason that a step caused. */
export async function everyDropExplained(pair: Pair): Promise<void> {
  for (const guest of pair.both) {
    const counters = await guest.counters();
    const { 'bad-vxlan': bad = 0, filtered = 0, ...others } = nonZero(counters);
    assert.is(bad, filtered, 'bad VXLAN was sent to underlay_filter alone');
    assertNoDrops(others, ['too-big-answered', ...WHILE_LEARNING]);
    for (const reason of WHILE_LEARNING) assert.ok((counters[reason] ?? 0) < 20, JSON.stringify(counters));
  }
}

const nonZero = (counters: Counters): Counters =>
  Object.fromEntries(Object.entries(counters).filter(([, count]) => count > 0));

export async function mapsAgree(pair: Pair): Promise<void> {
  for (const guest of pair.both) {
    const { differences } = await guest.json<{ differences: unknown[] }>('api GET /v1/verify');
    assert.equal(differences, []);
  }
}

/** Ends both agents and starts them on the other IP version of the underlay; endpoints stay. */
export async function moveUnderlay(pair: Pair, version: 4 | 6): Promise<void> {
  await Promise.all(pair.both.map((guest: Guest) => guest.sh('end_agent TERM')));
  pair.underlay = version;
  await startAgents(pair);
}
