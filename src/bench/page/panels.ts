/*
 * From a result to what the plots show: pure. A panel is one measure of one workload, with a block of bars for each
 * setting of the offloads and a bar for each variant that was measured.
 */
import type {
  BenchResult,
  Group,
  Measurement,
  OffloadTable,
  Role,
  VariantInfo,
  WorkloadInfo,
} from '../result.js';
import type { Summary } from '../statistics.js';
import { brief, percent, times } from './figures.js';

export interface Bar {
  variant: VariantInfo;
  summary: Summary;
  /** Where a second, paler bar ends: of latencies, the 99th percentile. */
  tail?: number;
  /** One for each of the panel's columns. */
  columns: string[];
}

export interface Block {
  title: string;
  bars: Bar[];
}

export interface Panel {
  id: string;
  title: string;
  unit: string;
  higherIsBetter: boolean;
  columns: string[];
  blocks: Block[];
}

export interface Section {
  id: string;
  title: string;
  /** What is measured here, and how to read it. */
  text: string;
  panels: Panel[];
}

const GROUPS: Record<Group, { title: string; text: string }> = {
  stream: {
    title: 'Throughput',
    text: 'Bulk transfer over one and over several connections, as the receiver counts it.',
  },
  request: {
    title: 'Requests and connections',
    text: 'One small message there and one back, over and over, by one client or by many at once; and with a connection opened and closed for each.',
  },
  packets: {
    title: 'Datagrams',
    text: 'As many UDP datagrams as the sender can send. What arrives at the receiving socket counts.',
  },
  application: {
    title: 'Applications',
    text: 'Ordinary servers under their ordinary load generators.',
  },
};

/** Sections without a panel are left out. */
export function sections(result: BenchResult): Section[] {
  const groups = (Object.keys(GROUPS) as Group[]).map((group) => ({
    id: group,
    ...GROUPS[group],
    panels: result.workloads.filter((workload) => workload.group === group).map(valuePanel(result)),
  }));
  const all: Section[] = [
    ...groups,
    {
      id: 'latency',
      title: 'Latency',
      text: 'From request to response. The strong bar ends at the median of the runs’ medians, the pale one at that of their 99th percentiles.',
      panels: result.workloads.map(latencyPanel(result)),
    },
    {
      id: 'cpu',
      title: 'CPU per unit of work',
      text: 'Time that all processors of both hosts spent in the kernel (system and softirq), divided by the work done.',
      panels: result.workloads.map(cpuPanel(result)),
    },
  ];
  return all
    .map((section) => ({ ...section, panels: section.panels.filter(({ blocks }) => blocks.length > 0) }))
    .filter(({ panels }) => panels.length > 0);
}

type ToPanel = (workload: WorkloadInfo) => Panel;

const valuePanel =
  (result: BenchResult): ToPanel =>
  ({ id, title, unit, higherIsBetter }) => ({
    ...{ id: `value-${id}`, title, unit, higherIsBetter },
    columns: ['median', 'of host', '× kernel'],
    blocks: blocks(result, id, (measurement, variant) => ({
      variant,
      summary: measurement.value,
      columns: [
        brief(measurement.value.median),
        unlessItself(variant, 'bare', percent(measurement.ofBare)),
        unlessItself(variant, 'kernel', times(measurement.toKernel)),
      ],
    })),
  });

const latencyPanel =
  (result: BenchResult): ToPanel =>
  ({ id, title }) => ({
    ...{ id: `latency-${id}`, title, unit: 'µs', higherIsBetter: false },
    columns: ['median', '99th'],
    blocks: blocks(result, id, ({ latency }, variant) =>
      latency === undefined
        ? undefined
        : {
            variant,
            summary: latency.p50,
            tail: latency.p99.median,
            columns: [brief(latency.p50.median), brief(latency.p99.median)],
          },
    ),
  });

const cpuPanel =
  (result: BenchResult): ToPanel =>
  ({ id, title, cpuPer }) => ({
    ...{ id: `cpu-${id}`, title, unit: `µs per ${cpuPer}`, higherIsBetter: false },
    columns: ['median', '× kernel'],
    blocks: blocks(result, id, (measurement, variant) => ({
      variant,
      summary: measurement.cpu,
      columns: [
        brief(measurement.cpu.median),
        unlessItself(variant, 'kernel', times(measurement.cpuToKernel)),
      ],
    })),
  });

/** A variant compared with itself says nothing. */
const unlessItself = (variant: VariantInfo, role: Role, text: string): string =>
  variant.role === role ? '' : text;

function blocks(
  result: BenchResult,
  workload: string,
  toBar: (measurement: Measurement, variant: VariantInfo) => Bar | undefined,
): Block[] {
  return result.tables
    .map((table) => {
      const results = table.rows.find((row) => row.workload === workload)?.results ?? {};
      const bars = result.variants.flatMap((variant) => {
        const measurement = results[variant.id];
        const bar = measurement && toBar(measurement, variant);
        return bar ? [bar] : [];
      });
      return { title: offloadsTitle(table.offloads), bars };
    })
    .filter(({ bars }) => bars.length > 0);
}

export function offloadsTitle(offloads: OffloadTable['offloads']): string {
  return offloads === 'as found' ? 'offloads as found' : `offloads ${offloads}`;
}
