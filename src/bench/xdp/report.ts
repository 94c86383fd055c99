/* The comparison as a table: each place beside the best that nftables can do with the same packet. */
import { formatLines } from '../../output/table.js';
import type { Summary } from '../statistics.js';
import type { Row } from './measure.js';

const HEADER = ['', 'M drops/s of one core', 'ns each', '× best nftables', 'by the clock', 'core busy'];

export function table(rows: readonly Row[]): string {
  const packets = [...new Set(rows.map(({ packet }) => packet))];
  return packets
    .map((packet) =>
      block(
        packet,
        rows.filter((row) => row.packet === packet),
      ),
    )
    .join('\n');
}

function block(packet: string, rows: readonly Row[]): string {
  const best = bestNftables(rows);
  const lines = [
    [packet, ...HEADER.slice(1)],
    ...rows.map(({ place, perCoreSecond, perSecond, busy }) => [
      place,
      `${millions(perCoreSecond.median)} (${millions(perCoreSecond.min)}–${millions(perCoreSecond.max)})`,
      (1e9 / perCoreSecond.median).toFixed(0),
      (perCoreSecond.median / best).toFixed(1),
      millions(perSecond.median),
      `${(100 * busy.median).toFixed(0)} %`,
    ]),
  ];
  return formatLines(lines);
}

export function bestNftables(rows: readonly { kind: Row['kind']; perCoreSecond: Summary }[]): number {
  const medians = rows
    .filter(({ kind }) => kind === 'nftables')
    .map(({ perCoreSecond }) => perCoreSecond.median);
  return Math.max(...medians);
}

const millions = (value: number): string => (value / 1e6).toFixed(2);
