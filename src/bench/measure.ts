/*
 * Every variant in one run: same machine, same minutes, order rotated with each repetition, so that a slow minute of the
 * machine hits all of them. Only the ratios travel to other machines.
 *
 * CPU time is the whole machine's, system and softirq, from before the client starts to after it has ended, divided by the
 * work of that time, warm-up included. In a lab that is both ends of the connection; between two machines the sum of both.
 */
import { PlaitError } from '../model/errors.js';
import { readCounters } from './counters.js';
import { askFarEnd } from './far-end.js';
import type { Measurement, OffloadTable, Row, VariantInfo } from './result.js';
import { summarise } from './statistics.js';
import type { Sample, Target, Workload } from './workloads.js';

export type Offloads = OffloadTable['offloads'];

export interface Variant {
  info: VariantInfo;
  target: Target;
}

export interface Plan {
  variants: readonly Variant[];
  workloads: readonly Workload[];
  repetitions: number;
  /** Of one measurement. */
  seconds: number;
  offloads: readonly Offloads[];
  switchOffloads?: (to: Offloads) => Promise<void>;
  /** Told of each figure before it is measured. */
  progress?: (step: string) => void;
}

type Measured = Sample & { cpuPerUnit: number };
type Samples = Map<VariantInfo, Measured[]>;

export async function measure(plan: Plan): Promise<OffloadTable[]> {
  const tables: OffloadTable[] = [];
  for (const offloads of plan.offloads) {
    await plan.switchOffloads?.(offloads);
    const rows: Row[] = [];
    for (const workload of plan.workloads)
      rows.push(rowOf(workload.info.id, await samplesOf(plan, workload, offloads)));
    tables.push({ offloads, rows });
  }
  return tables;
}

async function samplesOf(plan: Plan, workload: Workload, offloads: Offloads): Promise<Samples> {
  const { variants, repetitions, seconds, progress } = plan;
  const samples: Samples = new Map(variants.map(({ info }) => [info, []]));
  for (let repetition = 0; repetition < repetitions; repetition += 1) {
    for (const index of variants.keys()) {
      const variant = variants[(index + repetition) % variants.length];
      if (!variant) continue;
      const { info, target } = variant;
      const what = `${workload.info.title}, offloads ${offloads}, ${info.title}`;
      progress?.(`${what}: ${repetition + 1} of ${repetitions}`);
      const measured = await measureOne(workload, target, seconds).catch((cause: unknown) => {
        throw failed(`measure ${what}`, cause);
      });
      samples.get(info)?.push(measured);
    }
  }
  return samples;
}

function failed(doing: string, cause: unknown): Error {
  const { message, hint } = cause as Partial<PlaitError>;
  return new PlaitError('MEASUREMENT_FAILED', `${doing}: ${message}`, { hint, cause });
}

async function measureOne(workload: Workload, target: Target, seconds: number): Promise<Measured> {
  const datagramsIn = async (): Promise<number> => (await askFarEnd(target)).counters.datagramsIn;
  const before = await cpuMicros(target);
  const sample = await workload.measure({ target, seconds, datagramsIn });
  return { ...sample, cpuPerUnit: ((await cpuMicros(target)) - before) / sample.work };
}

/** Of this machine and, if it is another one, the target's. Only those in labs have processors in common with us. */
async function cpuMicros(target: Target): Promise<number> {
  const near = await readCounters();
  if (target.processors) return near.cpuMicros;
  const { counters: far } = await askFarEnd(target);
  return near.cpuMicros + (far.bootId === near.bootId ? 0 : far.cpuMicros);
}

export function rowOf(workload: string, samples: Iterable<readonly [VariantInfo, readonly Measured[]]>): Row {
  const results: Row['results'] = {};
  const roles = new Map<VariantInfo['role'], Measurement>();
  for (const [info, measured] of samples) {
    const measurement = summariseAll(measured);
    results[info.id] = measurement;
    roles.set(info.role, measurement);
  }
  for (const measurement of Object.values(results))
    relate(measurement, roles.get('bare'), roles.get('kernel'));
  return { workload, results };
}

function summariseAll(measured: readonly Measured[]): Measurement {
  const latencies = measured.flatMap(({ latency }) => (latency ? [latency] : []));
  const stalled = measured.flatMap(({ stalledFlows }) => (stalledFlows === undefined ? [] : [stalledFlows]));
  return {
    value: summarise(measured.map(({ value }) => value)),
    cpu: summarise(measured.map(({ cpuPerUnit }) => cpuPerUnit)),
    ...(latencies.length > 0 && {
      latency: {
        p50: summarise(latencies.map(({ p50 }) => p50)),
        p99: summarise(latencies.map(({ p99 }) => p99)),
      },
    }),
    ...(stalled.length > 0 && { stalledFlows: stalled.reduce((sum, count) => sum + count, 0) }),
    ofBare: null,
    toKernel: null,
    cpuToKernel: null,
  };
}

function relate(measurement: Measurement, bare?: Measurement, kernel?: Measurement): void {
  const { value, cpu } = measurement;
  measurement.ofBare = bare ? quotient(value.median, bare.value.median) : null;
  measurement.toKernel = kernel ? quotient(value.median, kernel.value.median) : null;
  measurement.cpuToKernel = kernel ? quotient(cpu.median, kernel.cpu.median) : null;
}

/** Null where the other is 0, as the CPU time of a very short run may be. */
function quotient(one: number, other: number): number | null {
  return other === 0 ? null : one / other;
}
