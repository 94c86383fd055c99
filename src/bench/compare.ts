/*
 * Host to host, the kernel's overlay and Plait in one run: same machine, same switch, order rotated with each
 * repetition, so that a slow minute of the machine hits all of them. Only the ratios travel to other machines.
 */
import type { Lab } from '../lab/lab.js';
import { buildKernelOverlay } from './kernel-overlay.js';
import { type Summary, summarise } from './statistics.js';
import { type Route, WORKLOADS, type Workload } from './workloads.js';

export type Variant = 'host to host' | 'kernel vxlan' | 'plait';
export type Routes = Partial<Record<Variant, Route>>;

export interface CompareOptions {
  repetitions: number;
  /** Of one measurement; a whole number, iperf3 knows no other. */
  seconds: number;
  workloads?: readonly Workload['name'][];
  progress?: (step: string) => void;
}

export interface Row {
  workload: Workload['name'];
  title: string;
  unit: string;
  results: Partial<Record<Variant, Summary>>;
  /** Plait's median divided by the kernel's. */
  ratio: number | null;
}

/** Names of the two hosts without an agent that `setUpRoutes` needs. */
export const PLAIN_HOSTS = ['k1', 'k2'] as const;

/** Builds the kernel's overlay on two plain hosts of the lab, and a Plait network on its first two nodes. */
export async function setUpRoutes(lab: Lab): Promise<Routes> {
  const [near, far] = lab.plainHosts;
  if (!near || !far)
    throw new Error(`set up the comparison: the lab needs plain hosts ${PLAIN_HOSTS.join(' and ')}`);
  const [client, server] = await buildKernelOverlay(lab, [near, far]);
  if (!client || !server) throw new Error('set up the comparison: the kernel overlay has no members');
  const routes: Routes = {
    'host to host': { client: near.name, server: far.name, address: far.address },
    'kernel vxlan': { client: client.container, server: server.container, address: server.address },
  };
  if (lab.nodes.length >= 2) routes.plait = await setUpPlait(lab);
  return routes;
}

async function setUpPlait(lab: Lab): Promise<Route> {
  await lab.plait('n1', 'network create --subnet 10.78.0.0/24 bench');
  for (const node of ['n1', 'n2']) {
    const netns = await lab.addContainer(`bench${node}`);
    await lab.plait(
      node,
      `attach --network bench --name bench-${node} --ip 10.78.0.1${node.slice(1)} ${netns}`,
    );
  }
  return { client: 'benchn1', server: 'benchn2', address: '10.78.0.12' };
}

export async function compare(lab: Lab, routes: Routes, options: CompareOptions): Promise<Row[]> {
  const variants = Object.entries(routes) as [Variant, Route][];
  for (const [, route] of variants) await lab.sh(route.client, `ping -c 3 -i 0.05 -W 2 ${route.address}`);

  const chosen = WORKLOADS.filter(({ name }) => options.workloads?.includes(name) ?? true);
  const rows: Row[] = [];
  for (const workload of chosen) {
    const samples = await measureAll(lab, workload, variants, options);
    rows.push(rowOf(workload, samples));
  }
  return rows;
}

async function measureAll(
  lab: Lab,
  workload: Workload,
  variants: readonly [Variant, Route][],
  options: CompareOptions,
): Promise<Map<Variant, number[]>> {
  const firstPort = 20_000 + 100 * WORKLOADS.indexOf(workload);
  const samples = new Map<Variant, number[]>(variants.map(([variant]) => [variant, []]));
  for (let repetition = 0; repetition < options.repetitions; repetition += 1) {
    options.progress?.(`${workload.title}: ${repetition + 1} of ${options.repetitions}`);
    for (const index of variants.keys()) {
      const [variant, route] = variants[(index + repetition) % variants.length] ?? [];
      if (!variant || !route) continue;
      const run = { seconds: options.seconds, port: firstPort + repetition };
      samples.get(variant)?.push(await workload.measure(lab, route, run));
    }
  }
  return samples;
}

function rowOf(workload: Workload, samples: Map<Variant, number[]>): Row {
  const results: Row['results'] = {};
  for (const [variant, values] of samples) results[variant] = summarise(values);
  const { 'kernel vxlan': kernel, plait } = results;
  return {
    workload: workload.name,
    title: workload.title,
    unit: workload.unit,
    results,
    ratio: kernel && plait ? plait.median / kernel.median : null,
  };
}
