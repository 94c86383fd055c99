/* A result in shares of host-to-host speed, whichever way a workload counts. Pure. */
import type { BenchResult, Measurement, VariantInfo, WorkloadInfo } from '../result.js';
import { percent, times } from './figures.js';
import { offloadsTitle } from './panels.js';

/** Of the speed that host to host reaches in the median; above 1 is faster. */
export interface Share {
  median: number;
  lowest: number;
  highest: number;
}

/** One workload in one setting of the offloads. */
export interface ShareRow {
  workload: WorkloadInfo;
  /** By the variant's id, host to host among them. */
  shares: Map<string, Share>;
  /** Plait's speed divided by the kernel's. */
  ratio: number | null;
}

/** One setting of the offloads; every side has the same workloads. */
export interface Side {
  title: string;
  rows: ShareRow[];
}

export function sidesOf({ tables, workloads, variants }: BenchResult): Side[] {
  return tables.map(({ offloads, rows }) => ({
    title: offloadsTitle(offloads),
    rows: workloads.map((workload) => {
      const results = rows.find((row) => row.workload === workload.id)?.results ?? {};
      return rowOf(workload, results, variants);
    }),
  }));
}

/** Whether anything was measured from host to host, without which there are no shares. */
export function hasShares(result: BenchResult): boolean {
  return sidesOf(result).some(({ rows }) => rows.some(({ shares }) => shares.size > 0));
}

function rowOf(
  workload: WorkloadInfo,
  results: Record<string, Measurement>,
  variants: readonly VariantInfo[],
): ShareRow {
  const speed = (ratio: number | null | undefined): number | null => {
    if (ratio === null || ratio === undefined || ratio === 0) return null;
    return workload.higherIsBetter ? ratio : 1 / ratio;
  };
  const shares = Object.entries(results).flatMap(([id, { value, ofBare }]): [string, Share][] => {
    const median = speed(ofBare);
    if (median === null) return [];
    const ends = [value.min, value.max].map((end) => median * (speed(end / value.median) ?? 1));
    return [[id, { median, lowest: Math.min(...ends), highest: Math.max(...ends) }]];
  });
  const plait = variants.find(({ role }) => role === 'plait');
  return { workload, shares: new Map(shares), ratio: speed(plait && results[plait.id]?.toKernel) };
}

/** What they come to, in words. */
export function sayShares(sides: readonly Side[], overlays: readonly VariantInfo[]): string {
  const sayRow = ({ workload, shares, ratio }: ShareRow): string => {
    const each = overlays.map(({ id, title }) => `${title} ${percent(shares.get(id)?.median ?? null)}`);
    return `${workload.title}: ${each.join(', ')}, Plait / kernel ${times(ratio)}`;
  };
  return sides.map(({ title, rows }) => `With ${title}: ${rows.map(sayRow).join('; ')}.`).join(' ');
}
