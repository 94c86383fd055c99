// Traffic between the two containers, and what the datapath says of it. Each function asserts what it is named after.

import * as assert from 'uvu/assert';
import type { Counters, Guest, Pair } from './two-vms-pair.js';

/** What counters() of the guest prints besides drops. */
const NO_DROPS = new Set([
  ...['local-delivered', 'remote-sent', 'remote-received', 'gateway', 'from-host', 'arp-answered'],
  ...['nd-answered', 'flooded', 'slow-sent', 'slow-received', 'host-multicast', 'xdp-delivered'],
  ...['container-sent', 'container-sent-bytes', 'container-got', 'container-got-bytes'],
  ...['inside-got', 'inside-got-bytes'],
]);

export function assertNoDrops(grown: Counters, except: readonly string[] = []): void {
  const drops = Object.keys(grown).filter((name) => !NO_DROPS.has(name) && !except.includes(name));
  assert.equal(drops, [], JSON.stringify(grown));
}

/** Reports of multicast groups and the like are flooded now and then; everything that is meant goes by the fast path. */
export function assertFast(grown: Counters, except: readonly string[] = []): void {
  assertNoDrops(grown, except);
  const { 'slow-sent': sent = 0, 'slow-received': received = 0 } = grown;
  assert.ok(sent + received < 10, `slow path: ${JSON.stringify(grown)}`);
}

export async function pingAll(pair: Pair): Promise<void> {
  const [one, two] = pair.both;
  const ping = (from: Guest, target: string): Promise<string> =>
    from.sh(`inside ping -n -c 3 -i 0.05 -W 3 ${target}`);
  await ping(one, two.address(4));
  await ping(two, one.address(4));
  await ping(one, two.address(6));
  await ping(two, one.address(6));
}

/** Pings with and without DF, of this size with all headers. Returns what ping said. */
export async function pingSized(
  from: Guest,
  target: string,
  bytes: number,
  df: 'do' | 'dont',
): Promise<string> {
  const size = bytes - (target.includes(':') ? 48 : 28);
  const line = `inside ping -n -c 2 -i 0.05 -W 2 -M ${df} -s ${size} ${target}`;
  return (await from.try(line)).output;
}

export interface Stream {
  /** Bits per second that arrived. */
  sent: number;
  received: number;
}

interface IperfReport {
  end: { sum_received: { bits_per_second: number }; sum_received_bidir_reverse: { bits_per_second: number } };
}

let nextPort = 21_000;

/** TCP both ways at once for a second. */
export async function tcpBothWays(pair: Pair, family: 4 | 6): Promise<Stream> {
  const port = nextPort++;
  await pair.two.sh(`serve ${port}`);
  const line = `inside iperf3 -c ${pair.two.address(family)} -p ${port} -t 1 --bidir -J`;
  const { end } = await pair.one.json<IperfReport>(line);
  const stream = {
    sent: end.sum_received.bits_per_second,
    received: end.sum_received_bidir_reverse.bits_per_second,
  };
  // Packets that crawl (a retransmission timeout for each) come to some 5 kbit/s; a busy host has shown 1.3 Mbit/s.
  assert.ok(stream.sent > 3e5 && stream.received > 3e5, JSON.stringify(stream));
  return stream;
}

interface UdpReport {
  end: { sum: { packets: number; lost_packets: number } };
}

/** Datagrams of this payload, in one direction, slowly enough for an emulated machine: none may be lost. */
export async function udp(from: Guest, to: Guest, family: 4 | 6, payload: number): Promise<void> {
  const port = nextPort++;
  await to.sh(`serve ${port}`);
  const rate = payload * 8 * 200; // 200 packets a second
  const line = `inside iperf3 -u -c ${to.address(family)} -p ${port} -l ${payload} -b ${rate} -t 1 -J`;
  const { sum } = (await from.json<UdpReport>(line)).end;
  assert.ok(sum.packets > 100, `${sum.packets} sent`);
  assert.is(sum.lost_packets, 0, `UDP of ${payload} bytes, IPv${family}`);
}

/** The same bytes arrive that were sent. */
export async function copy(from: Guest, to: Guest, family: 4 | 6, bytes: number): Promise<void> {
  const port = nextPort++;
  await to.sh(`receive ${port} ${family}`);
  const sent = await from.sh(`send ${bytes} ${to.address(family)} ${port}`);
  const got = await to.sh(`sum ${port}`);
  assert.is(got, sent);
}

/** Bytes per packet that went through the container's host end, and that arrived inside. */
export function sizes(grown: Counters): { sent: number; got: number } {
  const per = (bytes: string, packets: string): number => (grown[bytes] ?? 0) / (grown[packets] ?? 1);
  return { sent: per('container-sent-bytes', 'container-sent'), got: per('inside-got-bytes', 'inside-got') };
}
