/*
 * What a run of `plait bench` found: the type of its JSON, which the table and the page of plots are made of. Plain
 * data; `version` changes when a field changes its meaning or goes away, not when one is added.
 */
import type { Summary } from './statistics.js';

export const RESULT_VERSION = 1;

export interface BenchResult {
  version: typeof RESULT_VERSION;
  /** When the run began, ISO 8601, UTC. */
  startedAt: string;
  /** Samples of each figure, one per repetition. */
  repetitions: number;
  /** How long one sample was measured. */
  seconds: number;
  /** `lab`: both hosts are namespaces of one machine. `hosts`: `--client` here, `--server` there. */
  topology: 'lab' | 'hosts';
  /** One machine of a lab; client and server, in this order, of two hosts. */
  machines: Machine[];
  underlay: Underlay;
  /** In the order in which they are to be shown. */
  variants: VariantInfo[];
  /** In the order in which they are to be shown; those of a group stand together. */
  workloads: WorkloadInfo[];
  /** One for each setting of the underlay's offloads that was measured. */
  tables: OffloadTable[];
}

export interface Machine {
  name: string;
  /** As `uname -r` says. */
  kernel: string;
  architecture: string;
  /** Model of the processor. */
  processor: string;
  /** How many the kernel schedules on. */
  cpus: number;
  memoryBytes: number;
}

export interface Underlay {
  /** The driver as ethtool names it, such as `veth`, `virtio_net`, `mlx5_core`. */
  driver: string;
  /** Of IP packets, bytes. */
  mtu: number;
}

/** What a way is, whatever its label: `bare` and `kernel` are what the others are compared with. */
export type Role = 'bare' | 'kernel' | 'plait' | 'docker' | 'other';

export interface VariantInfo {
  /** Unique; what `--variant` takes, or the label given to `--client`. */
  id: string;
  title: string;
  role: Role;
}

export type Group = 'stream' | 'request' | 'packets' | 'application';

export interface WorkloadInfo {
  /** Unique; what `--workload` takes. */
  id: string;
  title: string;
  group: Group;
  /** Of the value, such as `Gbit/s`. */
  unit: string;
  /** Whether a bigger value is the better one. */
  higherIsBetter: boolean;
  /** What CPU time is counted per, such as `request`, `Gbit`, `1000 packets`. */
  cpuPer: string;
  /** The program that measured. */
  tool: string;
}

export interface OffloadTable {
  /** TSO, GSO and GRO of the underlay's interfaces; `as found` where nothing was switched. */
  offloads: 'on' | 'off' | 'as found';
  rows: Row[];
}

export interface Row {
  /** Id of the workload. */
  workload: string;
  /** By the variant's id; a variant that could not be measured is missing. */
  results: Record<string, Measurement>;
}

export interface Measurement {
  /** In the workload's unit. */
  value: Summary;
  /** Microseconds of softirq and system time, on all processors of all machines, for one unit of work. */
  cpu: Summary;
  /** For request/response workloads: microseconds from request to response. */
  latency?: { p50: Summary; p99: Summary };
  /** For concurrent request/response: flows that came (almost) to a stop, of all repetitions together; should be 0. */
  stalledFlows?: number;
  /** The value's median in shares of `bare`'s (1 = as good as without an overlay); null where that is missing. */
  ofBare: number | null;
  /** The value's median divided by the kernel overlay's; null where that is missing. */
  toKernel: number | null;
  /** The CPU time's median divided by the kernel overlay's; below 1 is less work. Null where that is missing. */
  cpuToKernel: number | null;
}
