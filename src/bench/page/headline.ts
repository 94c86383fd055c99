/* What a result comes to: Plait against the kernel's overlay and against no overlay, in few words. Pure. */
import type { BenchResult, Measurement, OffloadTable } from '../result.js';
import { percent, range, times } from './figures.js';
import { offloadsTitle } from './panels.js';
import { capital } from './words.js';

export interface Tile {
  title: string;
  figure: string;
  text: string;
}

/** A sentence for each setting of the offloads that Plait was measured with. */
export function headline(result: BenchResult): string[] {
  return result.tables.flatMap((table) => {
    const found = plaitOf(result, table).map(({ measurement }) => measurement);
    const parts = [
      said(
        found,
        ({ toKernel }) => toKernel,
        times,
        (text) => `${text} the kernel overlay`,
      ),
      said(
        found,
        ({ ofBare }) => ofBare,
        percent,
        (text) => `${text} of host to host`,
      ),
      said(
        found,
        ({ cpuToKernel }) => cpuToKernel,
        times,
        (text) => `${text} the kernel overlay’s CPU time per unit of work`,
      ),
    ].filter((part) => part !== '');
    const workloads = found.length === 1 ? 'one workload' : `${found.length} workloads`;
    return parts.length > 0
      ? [`${capital(offloadsTitle(table.offloads))}, ${workloads}: Plait reaches ${parts.join('; ')}.`]
      : [];
  });
}

function said(
  measurements: readonly Measurement[],
  pick: (measurement: Measurement) => number | null,
  write: (value: number) => string,
  phrase: (text: string) => string,
): string {
  const values = measurements.map(pick).filter((value) => value !== null);
  return values.length > 0 ? phrase(range(values, write)) : '';
}

/** The first workload of each group, and what a request costs, from the first table. */
export function tiles(result: BenchResult): Tile[] {
  const [table] = result.tables;
  if (!table) return [];
  const all = plaitOf(result, table).filter(({ measurement }) => measurement.toKernel !== null);
  const first = all.filter(
    ({ workload }, index) => all.findIndex((other) => other.workload.group === workload.group) === index,
  );
  const cost = first.find(({ workload }) => workload.group === 'request') ?? first[0];
  return [
    ...first.map(({ workload, measurement }) => ({
      title: workload.title,
      figure: times(measurement.toKernel),
      text: `the kernel overlay${measurement.ofBare === null ? '' : `; ${percent(measurement.ofBare)} of host to host`}`,
    })),
    ...(cost === undefined
      ? []
      : [
          {
            title: `CPU per ${cost.workload.cpuPer}`,
            figure: times(cost.measurement.cpuToKernel),
            text: `the kernel overlay; ${cost.workload.title}`,
          },
        ]),
  ];
}

function plaitOf({ variants, workloads }: BenchResult, table: OffloadTable) {
  const plait = variants.find(({ role }) => role === 'plait');
  if (!plait) return [];
  return workloads.flatMap((workload) => {
    const measurement = table.rows.find((row) => row.workload === workload.id)?.results[plait.id];
    return measurement ? [{ workload, measurement }] : [];
  });
}
