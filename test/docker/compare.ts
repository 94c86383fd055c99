// `npm run bench:docker`: Docker's overlay and Plait under the same two engines, in turns, some two minutes. Both need a swarm, or
// have one: the overlay's is attachable. Servers and clients are ordinary tools inside the containers' network namespaces.
//
//     npm run bench:docker -- --rounds 7

import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { median } from '../../src/bench/statistics.js';
import { parseIperf3, parsePingPong } from '../../src/bench/tool-output.js';
import { Job } from '../../src/lab/exec.js';
import { Lab } from '../../src/lab/lab.js';
import { waitFor } from '../../src/lab/wait.js';
import { Engine, restartAgent } from './support/engines.js';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '7' } } });
const ROUNDS = Number(values.rounds);
if (!Number.isInteger(ROUNDS) || ROUNDS < 1)
  throw new Error(`measure ${values.rounds} rounds: not a number from 1`);

const SUBNETS = { plait: '10.77.0', overlay: '10.79.0' } as const;
type Kind = keyof typeof SUBNETS;
const KINDS: readonly Kind[] = ['plait', 'overlay'];
const LONGEST_MS = 30_000;
const WHOLE_MS = 60_000 * ROUNDS;

interface Stage {
  readonly near: Engine;
  readonly far: Engine;
  readonly servers: readonly Job[];
}

/** Runs the line in the container's network namespace, on one processor. */
async function inside(
  engine: Engine,
  container: string,
  cpu: number,
  line: string,
  longestMs = LONGEST_MS,
): Promise<Job> {
  const netns = await engine.docker(`inspect -f {{.NetworkSettings.SandboxKey}} ${container}`);
  const args = [`--net=${netns}`, 'taskset', '-c', `${cpu}`, ...line.split(' ')];
  return new Job({ file: 'nsenter', args, env: process.env }, longestMs);
}

async function said(job: Promise<Job>): Promise<string> {
  return (await (await job).outcome).stdout;
}

const client = (kind: Kind): string => `${kind}-client`;
const server = (kind: Kind): string => `${kind}-server`;

/** Figures by name, each once. The server's container is on the far host. */
const FIGURES: Record<string, (stage: Stage, kind: Kind, address: string) => Promise<number>> = {
  'TCP, one stream, Gbit/s': async ({ near }, kind, address) =>
    parseIperf3(await said(inside(near, client(kind), 0, `iperf3 -J -t 2 -c ${address}`))).bitsPerSecond /
    1e9,
  'TCP request/response, 1/s': async ({ near }, kind, address) => {
    const line = `sockperf pp --tcp -i ${address} -p 11111 -t 1 -m 64`;
    return parsePingPong(await said(inside(near, client(kind), 1, line))).rate;
  },
  'TCP connect/request/close, 1/s': async ({ near }, kind, address) => {
    const line = `wrk -t 1 -c 1 -d 2 -H Connection:close http://${address}:80/none`;
    const output = await said(inside(near, client(kind), 1, line));
    return Number(/Requests\/sec:\s+([\d.]+)/.exec(output)?.[1]);
  },
  '`docker run` to the first ping answered, ms': async ({ near, far }, kind) => {
    const address = `${SUBNETS[kind]}.200`;
    const pinging = await inside(far, server(kind), 1, `ping -D -i 0.01 -w 15 ${address}`);
    await sleep(300);
    const started = Date.now();
    await near.docker(`run -d --name late --network ${kind} --ip ${address} bb sleep 10000`);
    await sleep(1500);
    await pinging.stop('SIGINT');
    const { stdout } = await pinging.outcome;
    await near.docker('rm -f late');
    const first = /^\[([\d.]+)\] \d+ bytes from/m.exec(stdout)?.[1];
    return Number(first) * 1000 - started;
  },
};

async function build(lab: Lab): Promise<Stage> {
  const [near, far] = [new Engine(lab, 'n1'), new Engine(lab, 'n2')];
  for (const engine of [near, far]) await restartAgent(lab, engine, 'SIGTERM');
  await lab.plait('n1', `network create --subnet ${SUBNETS.plait}.0/24 plait`);
  for (const engine of [near, far]) {
    await engine.start();
    await engine.loadImage();
    const has = async () => (await engine.try('network inspect plait')).status === 0;
    await waitFor('Docker to have the network', has, LONGEST_MS);
  }
  // Ours has UDP 4789.
  await near.docker(`swarm init --advertise-addr ${lab.node('n1').vtep} --data-path-port 7789`);
  const token = await near.docker('swarm join-token -q worker');
  await far.docker(`swarm join --token ${token} ${lab.node('n1').vtep}:2377`);
  await near.docker(`network create -d overlay --attachable --subnet ${SUBNETS.overlay}.0/24 overlay`);
  const servers: Job[] = [];
  for (const kind of KINDS) {
    await near.run(client(kind), `--network ${kind}`);
    await far.docker(`run -d --name ${server(kind)} --network ${kind} bb httpd -f -p 80 -h /bin`);
    for (const line of ['iperf3 -s', 'sockperf sr --tcp -p 11111'])
      servers.push(await inside(far, server(kind), 1, line, WHOLE_MS));
  }
  await sleep(1000);
  return { near, far, servers };
}

async function main(): Promise<void> {
  const name = `compare-${process.pid}`;
  const lab = await Lab.up({ name, nodes: 2 });
  let stage: Stage | undefined;
  try {
    stage = await build(lab);
    console.log(`| | Plait | overlay | Plait / overlay |\n|---|---|---|---|`);
    for (const [figure, measure] of Object.entries(FIGURES)) {
      const found: Record<Kind, number[]> = { plait: [], overlay: [] };
      for (let round = 0; round < ROUNDS; round++) {
        for (const kind of round % 2 === 0 ? KINDS : [...KINDS].reverse()) {
          const address = await stage.far.address(server(kind), kind);
          found[kind].push(await measure(stage, kind, address));
        }
      }
      const ratio = median(found.plait.map((value, at) => value / (found.overlay[at] ?? Number.NaN)));
      const [ours, theirs] = KINDS.map((kind) => Number(median(found[kind]).toPrecision(3)));
      console.log(`| ${figure} | ${ours} | ${theirs} | ${ratio.toFixed(2)} |`);
    }
  } finally {
    await Promise.all((stage?.servers ?? []).map((job) => job.stop('SIGKILL')));
    await Promise.all([stage?.near, stage?.far].map((engine) => engine?.remove()));
    await Lab.remove(name);
  }
}

await main();
