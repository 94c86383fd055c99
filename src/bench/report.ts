/* A result as tables for people: medians with their range, CPU time, and how each variant relates to the two baselines. */
import { formatLines } from '../output/table.js';
import type { BenchResult, Measurement, OffloadTable, WorkloadInfo } from './result.js';
import type { Summary } from './statistics.js';

export function formatResult(result: BenchResult): string {
  return [
    describe(result),
    ...result.tables.flatMap((table) => [title(table), formatTable(result, table)]),
  ].join('\n');
}

/** One line for each workload, for a demonstration. */
export function sentences(result: BenchResult, table: OffloadTable | undefined): string[] {
  return (table?.rows ?? []).flatMap(({ workload, results }) => {
    const info = infoOf(result, workload);
    const { plait, kernel } = results;
    if (!plait || !kernel) return [];
    const ratio = plait.toKernel?.toFixed(2) ?? '-';
    const values = `${round(plait.value.median)} ${info.unit} (kernel ${round(kernel.value.median)}, ${ratio}×)`;
    return [`${info.title}: ${values}`];
  });
}

function describe({ machines, underlay, repetitions, seconds, topology }: BenchResult): string {
  const where = machines
    .map(({ name, kernel, cpus, processor }) => `${name}: Linux ${kernel}, ${cpus} × ${processor}`)
    .join('\n');
  const hosts = topology === 'lab' ? 'two hosts as namespaces of one machine' : 'two machines';
  return `${where}
${hosts}, underlay ${underlay.driver}, MTU ${underlay.mtu}; medians (lowest–highest) of ${repetitions} × ${seconds} s
CPU: system and softirq time of all processors
`;
}

const title = ({ offloads }: OffloadTable): string => `TSO, GSO and GRO of the underlay: ${offloads}\n`;

function formatTable(result: BenchResult, { rows }: OffloadTable): string {
  const head = [
    'WORKLOAD',
    'VARIANT',
    'MEDIAN',
    'RANGE',
    'UNIT',
    '% BARE',
    '× KERNEL',
    'CPU µs',
    'PER',
    '× KERNEL',
  ];
  const lines = rows.flatMap(({ workload, results }) => {
    const info = infoOf(result, workload);
    return result.variants.flatMap(({ id, title }) => {
      const found = results[id];
      return found ? [[info.title, title, ...cells(info, found)]] : [];
    });
  });
  return formatLines([head, ...lines], [false, false, true, true, false, true, true, true, false, true]);
}

function cells({ unit, cpuPer }: WorkloadInfo, found: Measurement): string[] {
  const { value, cpu, ofBare, toKernel, cpuToKernel, stalledFlows } = found;
  const stalls = stalledFlows ? ` (${stalledFlows} flows stalled)` : '';
  return [
    round(value.median),
    range(value),
    unit + stalls,
    ofBare === null ? '-' : (100 * ofBare).toFixed(0),
    toKernel?.toFixed(2) ?? '-',
    round(cpu.median),
    cpuPer,
    cpuToKernel?.toFixed(2) ?? '-',
  ];
}

function infoOf({ workloads }: BenchResult, id: string): WorkloadInfo {
  const info = workloads.find((workload) => workload.id === id);
  if (!info) throw new Error(`print the result: it has a row of ${id}, which it does not describe`);
  return info;
}

const range = ({ min, max }: Summary): string => `${round(min)}–${round(max)}`;
const round = (value: number): string => value.toFixed(value < 100 ? 2 : 0);
