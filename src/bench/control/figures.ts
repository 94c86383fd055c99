/* The measured part of a run: endpoints come and go, and all agents that must see it are asked when they did. */
import { cpus } from 'node:os';
import { PlaitError } from '../../model/errors.js';
import { type Churned, churn } from './churn.js';
import type { Cluster } from './cluster.js';
import type { BenchEtcd } from './etcd.js';
import type { Fleet } from './fleet.js';
import { etcdLoad, Metrics } from './metrics.js';
import { type ControlOptions, membersOf } from './plan.js';
import { type ControlResult, type Spread, spreadOf } from './result.js';
import { until } from './until.js';
import type { Usage } from './worker.js';

/** For what was attached last to reach everybody. */
const DRAIN_MS = 15_000;

export type Figures = Pick<
  ControlResult,
  | 'audience'
  | 'attached'
  | 'detached'
  | 'stored'
  | 'visible'
  | 'missing'
  | 'wrong'
  | 'failures'
  | 'etcd'
  | 'agents'
  | 'machineBusy'
>;

export interface Run {
  readonly etcd: BenchEtcd;
  readonly fleet: Fleet;
  readonly cluster: Cluster;
  readonly options: ControlOptions;
  readonly signal: AbortSignal;
}

export async function measure(run: Run): Promise<Figures> {
  const { cluster, options } = run;
  const members = membersOf(cluster.agents, options.networks).map(({ length }) => length);
  const before = await readings(run);
  const churned = await churnOf(run);
  const after = await readings(run);

  const attached = [...churned.attached.values()];
  const expected = attached.reduce((sum, { seat }) => sum + (members[seat.network] ?? 1) - 1, 0);
  await settled(run, churned, expected + attached.length, members);
  const visible = await latencies(run, churned);
  return {
    audience: { min: Math.min(...members) - 1, max: Math.max(...members) - 1 },
    attached: attached.length,
    detached: churned.detached,
    stored: spreadOf(attached.map(({ storedAt, askedAt }) => storedAt - askedAt)),
    visible,
    missing: expected - visible.count,
    wrong: await wrongAgents(run, churned, members),
    failures: churned.failures,
    etcd: etcdLoad(before.metrics, after.metrics, churned.seconds),
    agents: agentsLoad(options, before.usage, after.usage, churned.seconds, 2 * expected),
    machineBusy: (after.busy.used - before.busy.used) / Math.max(1, after.busy.all - before.busy.all),
  };
}

function churnOf({ fleet, cluster, options, signal }: Run): Promise<Churned> {
  const hands: Parameters<typeof churn>[0] = {
    attach: ({ agent, network }, endpoint) => {
      const id = cluster.networks[network]?.id ?? '';
      return fleet.of(agent).call('attach', { agent, network: id, endpoint });
    },
    detach: ({ agent }, id) => fleet.of(agent).call('detach', { agent, id }),
  };
  return churn(hands, { ...options, seats: cluster.seats, present: cluster.present, signal });
}

interface Readings {
  readonly usage: Usage[];
  readonly metrics: Metrics;
  readonly busy: { readonly used: number; readonly all: number };
}

async function readings({ etcd, fleet }: Run): Promise<Readings> {
  const usage = await fleet.ask((process) => process.call('usage'));
  return { usage, metrics: new Metrics(await etcd.metrics()), busy: busy() };
}

/** Waits until all is seen and all maps are right; what is not in time is told as missing or wrong. */
async function settled(
  run: Run,
  churned: Churned,
  sightings: number,
  members: readonly number[],
): Promise<void> {
  const isSettled = async (): Promise<boolean> => {
    const counts = await run.fleet.ask((process) => process.call('sighted'));
    const seen = counts.reduce((sum, count) => sum + count, 0);
    return seen >= sightings && (await wrongAgents(run, churned, members)) === 0;
  };
  const limits = { timeoutMs: DRAIN_MS, signal: run.signal };
  await until('the last endpoints to become visible', isSettled, limits).catch((error) => {
    if (!(error instanceof PlaitError)) throw error;
  });
}

/** From asking for an endpoint to the first sight of each agent but the one that attached it. */
async function latencies({ fleet }: Run, { attached }: Churned): Promise<Spread> {
  const values: number[] = [];
  const seen = new Set<string>();
  for (const flat of await fleet.ask((process) => process.call('sightings'))) {
    for (let at = 0; at < flat.length; at += 3) {
      const [endpoint = 0, agent = 0, time = 0] = flat.subarray(at, at + 3);
      const origin = attached.get(endpoint);
      const sight = `${endpoint}/${agent}`;
      if (!origin || origin.seat.agent === agent || seen.has(sight)) continue;
      seen.add(sight);
      values.push(time - origin.askedAt);
    }
  }
  return spreadOf(values);
}

/** How many do not have as many MACs as their networks have endpoints now. */
async function wrongAgents(
  { fleet, cluster }: Run,
  { present }: Churned,
  members: readonly number[],
): Promise<number> {
  const endpoints = [...members];
  for (const { network } of present) endpoints[network] = (endpoints[network] ?? 0) + 1;
  const reachable = new Map((await fleet.ask((process) => process.call('reachable'))).flat());
  const wrong = cluster.agents.filter(({ index, networks }) => {
    const expected = networks.reduce((sum, network) => sum + (endpoints[network] ?? 0), 0);
    return reachable.get(index) !== expected;
  });
  return wrong.length;
}

function agentsLoad(
  { agents, processes }: ControlOptions,
  before: readonly Usage[],
  after: readonly Usage[],
  seconds: number,
  changes: number,
): ControlResult['agents'] {
  const total = (usages: readonly Usage[], of: (usage: Usage) => number): number =>
    usages.reduce((sum, usage) => sum + of(usage), 0);
  const cpu = total(after, (usage) => usage.cpuSeconds) - total(before, (usage) => usage.cpuSeconds);
  const worst = (key: 'p50' | 'p99' | 'max'): number => Math.max(...after.map(({ lag }) => lag[key]));
  return {
    perProcess: Math.ceil(agents / processes),
    cpu: cpu / seconds,
    cpuPerChangeMs: changes === 0 ? 0 : (cpu * 1000) / changes,
    residentBytesEach: total(after, (usage) => usage.residentBytes) / agents,
    lag: { p50: worst('p50'), p99: worst('p99'), max: worst('max') },
  };
}

/** All processors together, ms since boot. */
function busy(): { used: number; all: number } {
  const times = cpus().map((cpu) => cpu.times);
  const all = times.reduce((sum, each) => sum + Object.values(each).reduce((a, b) => a + b, 0), 0);
  return { all, used: all - times.reduce((sum, { idle }) => sum + idle, 0) };
}
