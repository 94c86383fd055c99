/* The comparison as a table for people: medians with their range, and how Plait relates to the two baselines. */
import type { Row, Variant } from './compare.js';
import type { Summary } from './statistics.js';

const VARIANTS: readonly Variant[] = ['host to host', 'kernel vxlan', 'plait'];

export function table(rows: readonly Row[]): string {
  const lines = [
    ['', ...VARIANTS, '× kernel', '% bare'],
    ...rows.map((row) => [
      `${row.title} (${row.unit})`,
      ...VARIANTS.map((variant) => cell(row.results[variant])),
      row.ratio === null ? '-' : row.ratio.toFixed(2),
      ofBare(row),
    ]),
  ];
  const widths = (lines[0] ?? []).map((_, column) =>
    Math.max(...lines.map((line) => line[column]?.length ?? 0)),
  );
  return lines
    .map((line) =>
      line
        .map((text, column) => text.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** One line of the same, for a demonstration. */
export function sentence(rows: readonly Row[]): string {
  const part = ({ title, unit, results, ratio }: Row): string =>
    `${title} ${short(results.plait)} ${unit} (kernel ${short(results['kernel vxlan'])}, ${ratio?.toFixed(2) ?? '-'}×)`;
  return rows.map(part).join('; ');
}

function cell(summary: Summary | undefined): string {
  return summary ? `${short(summary)} (${round(summary.min)}–${round(summary.max)})` : '-';
}

function ofBare({ results }: Row): string {
  const { 'host to host': bare, plait } = results;
  return bare && plait ? `${((100 * plait.median) / bare.median).toFixed(0)} %` : '-';
}

const short = (summary: Summary | undefined): string => (summary ? round(summary.median) : '-');
const round = (value: number): string => value.toFixed(value < 100 ? 2 : 0);
