// A result of `plait bench` made up for tests: few workloads, two settings of the offloads, figures that differ all.
import type { BenchResult, Measurement, Row, WorkloadInfo } from '../../../src/bench/result.js';
import { type Summary, summarise } from '../../../src/bench/statistics.js';

/** Five samples around a middle, not in order. */
const around = (middle: number): Summary =>
  summarise([1.02, 0.97, 1, 1.05, 0.99].map((part) => part * middle));

const requests = { group: 'request', unit: '1/s', higherIsBetter: true, cpuPer: 'request' } as const;

const workloads: WorkloadInfo[] = [
  {
    ...{ id: 'tcp-stream', title: 'TCP, one stream', group: 'stream', unit: 'Gbit/s' },
    ...{ higherIsBetter: true, cpuPer: 'Gbit', tool: 'iperf3' },
  },
  { ...requests, id: 'tcp-rr', title: 'TCP request/response', tool: 'sockperf' },
  { ...requests, id: 'http', title: 'nginx', group: 'application', tool: 'wrk' },
];

const speeds = {
  'tcp-stream': { bare: 21.6, kernel: 14.1, plait: 18.9 },
  'tcp-rr': { bare: 61_234, kernel: 37_111, plait: 54_321 },
  http: { bare: 52_900, kernel: 35_800, plait: 47_700 },
};

export function sampleResult(): BenchResult {
  return {
    version: 1,
    startedAt: '2026-11-22T20:30:00.000Z',
    repetitions: 5,
    seconds: 3,
    topology: 'lab',
    machines: [
      {
        ...{ name: 'lab', kernel: '6.18.44', architecture: 'x86_64', processor: 'Example 9000' },
        ...{ cpus: 2, memoryBytes: 8 * 2 ** 30 },
      },
    ],
    underlay: { driver: 'veth', mtu: 1500 },
    variants: [
      { id: 'bare', title: 'host to host', role: 'bare' },
      { id: 'kernel', title: 'kernel vxlan', role: 'kernel' },
      { id: 'plait', title: 'Plait', role: 'plait' },
    ],
    workloads: structuredClone(workloads),
    tables: [
      { offloads: 'on', rows: rows(1) },
      { offloads: 'off', rows: rows(0.87) },
    ],
  };
}

const rows = (factor: number): Row[] =>
  Object.entries(speeds).map(([workload, { bare, kernel, plait }]) => ({
    workload,
    results: {
      bare: measurement(bare * factor, bare * factor, kernel * factor, workload !== 'tcp-stream'),
      kernel: measurement(kernel * factor, bare * factor, kernel * factor, workload !== 'tcp-stream'),
      plait: measurement(plait * factor * factor, bare * factor, kernel * factor, workload !== 'tcp-stream'),
    },
  }));

/** Slower is costlier, in the same proportion. */
function measurement(value: number, bare: number, kernel: number, requests: boolean): Measurement {
  return {
    value: around(value),
    cpu: around(300_000 / value),
    ...(requests ? { latency: { p50: around(1e6 / value), p99: around(2.9e6 / value) } } : {}),
    ofBare: value / bare,
    toKernel: value / kernel,
    cpuToKernel: kernel / value,
  };
}
