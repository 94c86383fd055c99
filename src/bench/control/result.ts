/* What a run of `plait bench control` found: the type of its JSON. Plain data. */
import type { EtcdLoad } from './metrics.js';
import type { ControlOptions } from './plan.js';

export const RESULT_VERSION = 1;

/** Milliseconds. */
export interface Spread {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export interface ControlResult {
  readonly version: typeof RESULT_VERSION;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  readonly options: ControlOptions;
  readonly machine: { readonly kernel: string; readonly cpus: number; readonly processor: string };
  /** All agents begin at once. */
  readonly start: {
    /** Until the last one was registered and complete. */
    readonly allMs: number;
    readonly each: Spread;
    /** Of etcd meanwhile, seconds. */
    readonly etcdCpuSeconds: number;
  };
  /** Other agents on an endpoint's network: how many maps one attach changes. */
  readonly audience: { readonly min: number; readonly max: number };
  readonly attached: number;
  readonly detached: number;
  /** From asking an agent to attach until etcd has the endpoint. */
  readonly stored: Spread;
  /** From asking until it is in the maps of each other agent that must see it. */
  readonly visible: Spread;
  /** Endpoints that an agent should have seen and did not, over all agents. */
  readonly missing: number;
  /** Agents whose maps were not exactly right in the end. */
  readonly wrong: number;
  readonly failures: readonly string[];
  readonly etcd: EtcdLoad;
  readonly agents: {
    readonly perProcess: number;
    /** Cores that all agents together took. */
    readonly cpu: number;
    /** CPU per change of a row's endpoint and agent, ms; what idle agents do is in it. */
    readonly cpuPerChangeMs: number;
    readonly residentBytesEach: number;
    /** What work waited for because its process was busy; the worst process. */
    readonly lag: Omit<Spread, 'count'>;
  };
  /** Share of all processors that was in use, 0 to 1. */
  readonly machineBusy: number;
  readonly memory: MemoryResult | undefined;
}

/** Bytes per endpoint that one agent knows, beyond what it takes without. */
export interface MemoryResult {
  readonly endpoints: number;
  readonly baseResidentBytes: number;
  readonly heap: number;
  /** As the process was; with garbage. */
  readonly resident: number;
  /** After a collection. */
  readonly residentAfter: number;
  /** In the kernel's maps. */
  readonly kernel: number;
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = Float64Array.from(values).sort();
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), max: at(1) };
}
