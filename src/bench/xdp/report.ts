/* The comparisons as tables: each place beside the best that nftables can do with the same packet, or beside the first. */
import { formatLines } from '../../output/table.js';
import type { Summary } from '../statistics.js';
import type { Row } from './measure.js';

const AFTER = ['by the clock', 'core busy'];
const HEADERS = {
  drops: ['', 'M drops/s of one core', 'ns each', '× best nftables', ...AFTER],
  deliveries: ['', 'M delivered/s of one core', 'ns each', '× the first', ...AFTER],
} as const;

export function table(rows: readonly Row[], what: keyof typeof HEADERS): string {
  const packets = [...new Set(rows.map(({ packet }) => packet))];
  return packets
    .map((packet) =>
      block(
        packet,
        rows.filter((row) => row.packet === packet),
        what,
      ),
    )
    .join('\n');
}

function block(packet: string, rows: readonly Row[], what: keyof typeof HEADERS): string {
  const best = what === 'drops' ? bestNftables(rows) : (rows[0]?.perCoreSecond.median ?? Number.NaN);
  const lines = [
    [packet, ...HEADERS[what].slice(1)],
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
