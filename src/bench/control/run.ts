/* A run of the benchmark of the control plane, from an etcd of its own to the figures. Leaves nothing behind. */
import { cpus, release } from 'node:os';
import { Store } from '../../store/store.js';
import { makeCluster } from './cluster.js';
import { BenchEtcd } from './etcd.js';
import { measure } from './figures.js';
import { Fleet } from './fleet.js';
import { MemoryProbe } from './memory.js';
import { Metrics } from './metrics.js';
import { type ControlOptions, checkOptions } from './plan.js';
import { type ControlResult, RESULT_VERSION, spreadOf } from './result.js';

export interface RunOptions {
  readonly options: ControlOptions;
  readonly progress: (step: string) => void;
  /** Ends the run: it rejects with the signal's reason when all is cleaned up. */
  readonly signal: AbortSignal;
}

/** Throws InvalidInput; NO_ETCD; BENCH_FAILED. */
export async function runControl(run: RunOptions): Promise<ControlResult> {
  const { options, progress, signal } = run;
  checkOptions(options);
  progress('starting etcd');
  const etcd = await BenchEtcd.start();
  const store = new Store({ endpoints: [etcd.url], timeoutMs: STORE_TIMEOUT_MS });
  const ends: (() => Promise<void>)[] = [];
  const work = benchmark(run, { etcd, store, ends });
  try {
    return await Promise.race([work, aborted(signal)]);
  } finally {
    store.close();
    for (const end of ends) await end();
    await etcd.destroy();
    await work.catch(() => undefined);
  }
}

const STORE_TIMEOUT_MS = 10_000;

interface Resources {
  readonly etcd: BenchEtcd;
  readonly store: Store;
  /** What must be called to end processes, whatever they are doing. */
  readonly ends: (() => Promise<void>)[];
}

async function benchmark(
  { options, progress, signal }: RunOptions,
  { etcd, store, ends }: Resources,
): Promise<ControlResult> {
  const startedAt = new Date().toISOString();
  progress(`making ${options.networks} networks and ${options.endpoints} endpoints`);
  const cluster = await makeCluster(store, options);
  signal.throwIfAborted();

  progress(`starting ${options.agents} agents in ${options.processes} processes`);
  const fleet = new Fleet(cluster, options.processes);
  ends.push(() => fleet.end());
  const start = await startOf(fleet, etcd);

  progress(`attaching and detaching ${options.rate} endpoints per second for ${options.seconds} s`);
  const figures = await measure({ etcd, fleet, cluster, options, signal });
  await fleet.ask((process) => process.call('stop'));
  await fleet.end();

  const memory = options.memoryEndpoints === 0 ? undefined : await memoryOf();
  const machine = { kernel: release(), cpus: cpus().length, processor: cpus()[0]?.model ?? 'unknown' };
  return { version: RESULT_VERSION, startedAt, options, machine, start, ...figures, memory };

  function memoryOf(): Promise<ControlResult['memory']> {
    progress(`measuring the memory of an agent that learns ${options.memoryEndpoints} endpoints`);
    signal.throwIfAborted();
    const probe = new MemoryProbe();
    ends.push(() => probe.end());
    return probe.measure({ etcd: etcd.url, store, endpoints: options.memoryEndpoints, signal });
  }
}

async function startOf(fleet: Fleet, etcd: BenchEtcd): Promise<ControlResult['start']> {
  const cpu = async (): Promise<number> => new Metrics(await etcd.metrics()).sum('process_cpu_seconds_total');
  const [before, started] = [await cpu(), performance.now()];
  const times = await fleet.start(etcd.url);
  const allMs = performance.now() - started;
  return { allMs, each: spreadOf(times), etcdCpuSeconds: (await cpu()) - before };
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
