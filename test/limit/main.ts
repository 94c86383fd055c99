// `npm run bench:limit`: how far the datapath is from the least that any of its kind does (bpf/bench/limit.bpf.c), in one
// lab and in turns: 30 pairs of a second each, some three minutes.
//
//     npm run bench:limit -- --pairs 30 --json

import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { median, percentile } from '../../src/bench/statistics.js';
import { parsePingPong } from '../../src/bench/tool-output.js';
import { Job } from '../../src/lab/exec.js';
import { Lab } from '../../src/lab/lab.js';
import { waitFor } from '../../src/lab/wait.js';
import { listening } from '../host/support/containers.js';
import { Limit, type Member } from './limit.js';

const { values } = parseArgs({
  options: { pairs: { type: 'string', default: '30' }, json: { type: 'boolean', default: false } },
});
const PAIRS = Number(values.pairs);
if (!Number.isInteger(PAIRS) || PAIRS < 1)
  throw new Error(`measure ${values.pairs} pairs: not a number from 1`);

/** Half a round trip in µs, both ends on one processor: the steadiest there is. sockperf knows no less than a second. */
const WORKLOADS = { 'TCP ping-pong, µs': '--tcp', 'UDP ping-pong, µs': '' };
const VARIANTS = ['plait', 'limit'] as const;
const PORT = 11_111;

interface Row {
  workload: string;
  plait: number;
  limit: number;
  /** Of pairs, how much longer Plait takes: median, 10th and 90th percentile. */
  ratio: [number, number, number];
}

async function pingPong(lab: Lab, target: string, flag: string): Promise<number> {
  const line = `taskset -c 1 sockperf pp ${flag} -i ${target} -p ${PORT} -t 1 -m 64`.replace(/ +/g, ' ');
  const { stdout } = await new Job(lab.invocation('c1', line.split(' ')), 20_000).outcome;
  const { latency } = parsePingPong(stdout);
  if (!latency) throw new Error(`measure ping-pong: sockperf printed no median:\n${stdout}`);
  return latency.p50;
}

async function measure(lab: Lab, limit: Limit, target: string, workload: string, flag: string): Promise<Row> {
  const server = lab.start('c2', `taskset -c 1 sockperf sr ${flag} -p ${PORT}`.replace(/ +/g, ' '));
  const found = { plait: [] as number[], limit: [] as number[] };
  try {
    await listening(lab, 'c2', PORT, flag === '--tcp' ? 'tcp' : 'udp');
    for (let pair = 0; pair < PAIRS; pair += 1) {
      if (!values.json) process.stderr.write(`${workload}: ${pair + 1} of ${PAIRS}\n`);
      for (const which of pair % 2 ? VARIANTS : [...VARIANTS].reverse()) {
        limit.use(which);
        found[which].push(await pingPong(lab, target, flag));
      }
    }
  } finally {
    limit.use('plait');
    await server.stop('SIGKILL');
  }
  const ratios = found.plait.map((time, i) => time / (found.limit[i] ?? Number.NaN));
  return {
    workload,
    plait: median(found.plait),
    limit: median(found.limit),
    ratio: [median(ratios), percentile(ratios, 0.1), percentile(ratios, 0.9)],
  };
}

async function setUp(lab: Lab): Promise<[Member, Member]> {
  await lab.plait('n1', 'network create --subnet 10.79.0.0/24 limit');
  const [n1, n2] = lab.nodes;
  if (!n1 || !n2) throw new Error('set up the limit: the lab needs two nodes');
  const members: Member[] = [];
  for (const [index, node] of [n1, n2].entries()) {
    const [container, address] = [`c${index + 1}`, `10.79.0.1${index}`];
    const netns = await lab.addContainer(container);
    await lab.plait(node.name, `attach --network limit --name ${container} --ip ${address} ${netns}`);
    members.push({ node, container, address });
  }
  const [a, b] = members as [Member, Member];
  await waitFor('the containers to reach each other', async () => {
    return (await lab.try(a.container, `ping -n -c 1 -W 1 ${b.address}`.split(' '))).status === 0;
  });
  return [a, b];
}

async function vniOf(lab: Lab): Promise<number> {
  const [network] = JSON.parse(await lab.plait('n1', 'network inspect limit')) as { vni: number }[];
  if (!network) throw new Error('inspect network limit: nothing was printed');
  return network.vni;
}

const name = `limit${process.pid}`;
const giveUp = (): void => void Lab.remove(name).finally(() => process.exit(130));
process.once('SIGINT', giveUp).once('SIGTERM', giveUp);
const lab = await Lab.up({ name, nodes: 2 });
try {
  const members = await setUp(lab);
  const limit = await Limit.load(lab, members, await vniOf(lab));
  await sleep(500); // the agents have come to rest
  const rows: Row[] = [];
  for (const [workload, flag] of Object.entries(WORKLOADS))
    rows.push(await measure(lab, limit, members[1].address, workload, flag));
  limit.close();
  if (values.json) console.log(JSON.stringify(rows));
  for (const { workload, plait, limit: least, ratio } of values.json ? [] : rows) {
    const [middle, low, high] = ratio.map((share) => `${(100 * (share - 1)).toFixed(1)} %`);
    console.log(
      `${workload}: Plait ${plait.toFixed(2)}, limit ${least.toFixed(2)}; ${middle} more (${low} to ${high} in ${PAIRS} pairs)`,
    );
  }
} finally {
  await lab.down();
}
