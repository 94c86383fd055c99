// timeout: 600 s

// What netkit is worth against veth: the same containers, peer and tools in one run, the order turned with each
// repetition. Printed, not judged: a machine shared with others says little about nanoseconds.

import { BpfProgram } from 'libbpf-ts-bindings';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { summarise } from '../../src/bench/statistics.js';
import { Datapath } from '../../src/datapath/datapath.js';
import { type LinkKind, netkitObstacle } from '../../src/net/netkit.js';
import { addContainer, makeUnderlay, optionsIn } from './support/node.js';
import { enterOwnNamespace, json, Scratch, sh, shIn } from './support/own-namespace.js';
import { counted, withServer } from './support/servers.js';
import { addVxlanPeer, VTEP } from './support/vxlan-peer.js';

enterOwnNamespace(import.meta.url);

const REPETITIONS = Number(process.env.PLAIT_TEST_REPETITIONS ?? 1);
const SECONDS = 2;
const KINDS: readonly LinkKind[] = ['veth', 'netkit'];
const test = suite('bench: links');

/** From where to where. */
interface Way {
  from: string;
  to: string;
  address: string;
  /** Of the sender. */
  hostIfname: string;
}

type Measure = (way: Way, port: number) => Promise<number>;

const MEASURES: readonly [[string, Measure], ...[string, Measure][]] = [
  [
    'UDP 18 B received, 1000/s',
    (way, port) =>
      withServer(way.to, `sockperf sr -p ${port}`, { protocol: 'udp', port }, () => {
        const before = counted(way.to, 'UdpInDatagrams');
        shIn(way.from, `sockperf tp -i ${way.address} -p ${port} -t ${SECONDS} -m 18 --mps max`);
        return (counted(way.to, 'UdpInDatagrams') - before) / SECONDS / 1000;
      }),
  ],
  [
    'TCP ping-pong p50, µs',
    (way, port) =>
      withServer(way.to, `sockperf sr --tcp -p ${port}`, { protocol: 'tcp', port }, () => {
        const line = `sockperf pp --tcp -i ${way.address} -p ${port} -t ${SECONDS} -m 18`;
        return Number(/percentile 50\.000 =\s+([\d.]+)/.exec(shIn(way.from, line))?.[1]);
      }),
  ],
  [
    'TCP one stream, Mbit/s',
    (way, port) =>
      withServer(way.to, `iperf3 -s -1 -p ${port}`, { protocol: 'tcp', port }, () => {
        const report = shIn(way.from, `iperf3 -c ${way.address} -p ${port} -t ${SECONDS} -f m -i 0`);
        return Number(/([\d.]+) Mbits\/sec\s+receiver/.exec(report)?.[1]);
      }),
  ],
];

const title = 'netkit against veth, to a container here and to another host';
const obstacle = await netkitObstacle();

test(title, async () => {
  if (obstacle !== undefined) {
    console.log(`SKIP ${title}: ${obstacle}`);
    return;
  }
  makeUnderlay();
  const scratch = new Scratch();
  const options = optionsIn(scratch);
  const dp = await Datapath.open(options);
  try {
    const ways = await waysOf(dp, scratch);
    const outward = ways.get('other host') ?? new Map<LinkKind, Way>();
    await measureSending(outward);
    await measureHeadroom(`${options.bpf}/progs/from_container`, outward);
    await compare(ways);
  } finally {
    dp.close();
    scratch.clean();
  }
});

/** For each place the way of each kind. */
async function waysOf(dp: Datapath, scratch: Scratch): Promise<Map<string, Map<LinkKind, Way>>> {
  const peer = await addVxlanPeer(dp, scratch);
  const ways = new Map([
    ['here', new Map<LinkKind, Way>()],
    ['other host', new Map<LinkKind, Way>()],
  ]);
  for (const [i, kind] of KINDS.entries()) {
    const from = await addContainer(dp, scratch, 10 * i + 1, kind);
    const to = await addContainer(dp, scratch, 10 * i + 2, kind);
    const { hostIfname } = from;
    ways.get('here')?.set(kind, { from: from.netns, to: to.netns, address: to.ip4, hostIfname });
    ways.get('other host')?.set(kind, { from: from.netns, to: peer.netns, address: peer.ip4, hostIfname });
  }
  return ways;
}

async function compare(places: Map<string, Map<LinkKind, Way>>): Promise<void> {
  let port = 20_000;
  for (const [place, ways] of places) {
    for (const [what, measure] of MEASURES) {
      await rotate(`${what}, ${place}`, ways, measure, port);
      port += 100;
    }
  }
}

async function rotate(
  what: string,
  ways: ReadonlyMap<LinkKind, Way>,
  measure: Measure,
  firstPort: number,
): Promise<void> {
  const samples = new Map<LinkKind, number[]>(KINDS.map((kind) => [kind, []]));
  for (let turn = 0; turn < REPETITIONS * KINDS.length; turn++) {
    const isReversed = Math.floor(turn / KINDS.length) % 2 === 1;
    const kind = KINDS[isReversed ? KINDS.length - 1 - (turn % KINDS.length) : turn % KINDS.length];
    const way = kind && ways.get(kind);
    assert.ok(way);
    samples.get(kind)?.push(await measure(way, firstPort + turn));
  }
  print(what, samples);
}

/**
 * What the sender alone can do: the peer's MAC is made another's, so that its kernel throws the packets away first thing.
 * Thousands per second, as the underlay's device counts them.
 */
async function measureSending(ways: ReadonlyMap<LinkKind, Way>): Promise<void> {
  const sent = (): number =>
    json<{ stats64: { tx: { packets: number } } }[]>(sh('ip -j -s link show u1'))[0]?.stats64.tx.packets ?? 0;
  sh(`ip neighbour replace ${VTEP} lladdr 02:00:00:00:00:77 dev u1 nud permanent`);
  try {
    const send = async ({ from, address }: Way, port: number): Promise<number> => {
      const before = sent();
      shIn(from, `sockperf tp -i ${address} -p ${port} -t ${SECONDS} -m 18 --mps max`);
      return (sent() - before) / SECONDS / 1000;
    };
    await rotate('UDP 18 B sent, 1000/s, other host', ways, send, 18_000);
  } finally {
    sh(`ip neighbour delete ${VTEP} dev u1`);
  }
}

/** What the program takes per packet, and what it would without the bridge that gives the containers headroom. */
async function measureHeadroom(pin: string, ways: ReadonlyMap<LinkKind, Way>): Promise<void> {
  const program = BpfProgram.openPinned(pin);
  const wasEnabled = sh('sysctl -n kernel.bpf_stats_enabled');
  sh('sysctl -qw kernel.bpf_stats_enabled=1');
  try {
    for (const [port, bridged] of [true, false].entries()) {
      const nanoseconds = new Map<LinkKind, number[]>();
      for (const [kind, way] of ways) {
        if (!bridged) sh(`ip link set ${way.hostIfname} nomaster`);
        const before = program.info();
        await MEASURES[0][1](way, 19_000 + 2 * port + KINDS.indexOf(kind));
        const after = program.info();
        const spent = Number(after.runTimeNs - before.runTimeNs) / Number(after.runCount - before.runCount);
        nanoseconds.set(kind, [spent]);
      }
      print(`from_container, ns per packet ${bridged ? 'with' : 'without'} the bridge`, nanoseconds);
    }
  } finally {
    sh(`sysctl -qw kernel.bpf_stats_enabled=${wasEnabled}`);
    program.close();
  }
}

function print(what: string, samples: Map<LinkKind, number[]>): void {
  const [veth, netkit] = KINDS.map((kind) => summarise(samples.get(kind) ?? []));
  assert.ok(veth && netkit && veth.median > 0 && netkit.median > 0, `${what}: something arrives`);
  const text = ({ median, min, max }: typeof veth): string =>
    `${median.toFixed(1)} (${min.toFixed(1)}–${max.toFixed(1)})`;
  const ratio = (netkit.median / veth.median).toFixed(2);
  console.log(`NOTE ${what}: veth ${text(veth)}, netkit ${text(netkit)}, netkit/veth ${ratio}`);
}

test.run();
