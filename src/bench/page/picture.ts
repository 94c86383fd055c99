/*
 * The whole result in one picture, for the head of a page or of a README: for each workload how much of host-to-host
 * speed is left over each overlay, and how Plait relates to the kernel's. Drawn so that it can be read alone.
 */
import type { BarSeriesOption, TitleComponentOption } from 'echarts';
import { PlaitError } from '../../model/errors.js';
import type { BenchResult, Measurement, VariantInfo, WorkloadInfo } from '../result.js';
import { percent, times } from './figures.js';
import type { Markup } from './html.js';
import type { Draw, PlotOption } from './library.js';
import { colourOf, darkRules, SURFACE } from './palette.js';
import { offloadsTitle } from './panels.js';
import {
  figuresAxis,
  headingText,
  lengthAxis,
  lengthLabel,
  namesAxis,
  plainText,
  still,
  strongText,
} from './parts.js';
import { capital, machineLine, runLine } from './words.js';

const WIDTH = 900;
const LABELS = 196;
const RATIO = 64;
/** Right of a full bar: its label. */
const BEYOND = 38;
const THICKNESS = 12;
const ROW_GAP = 13;
const TOP = 136;
const BOTTOM = 34;
const MARGIN = 18;

/** One workload in one setting of the offloads. */
interface Row {
  workload: WorkloadInfo;
  /** By the variant's id: speed in shares of host-to-host speed. */
  shares: Map<string, number>;
  /** Plait's speed divided by the kernel's. */
  ratio: number | null;
}

interface Side {
  title: string;
  rows: Row[];
}

/** Whether anything was measured from host to host, which the picture is about. */
export function canPicture(result: BenchResult): boolean {
  return sidesOf(result).some(({ rows }) => rows.some(({ shares }) => shares.size > 0));
}

/** @throws PlaitError where nothing was measured from host to host */
export function drawPicture(draw: Draw, result: BenchResult): Markup {
  if (!canPicture(result))
    throw new PlaitError('NOTHING_TO_DRAW', 'draw the picture: the result has no host-to-host figures', {
      hint: 'measure again with host to host among the variants',
    });
  const overlays = result.variants.filter(({ role }) => role !== 'bare');
  const sides = sidesOf(result);
  return draw(optionOf(result, sides, overlays), {
    width: WIDTH,
    height: TOP + result.workloads.length * rowHeight(overlays) + BOTTOM,
    id: 'picture',
    title: TITLE,
    description: describe(sides, overlays),
    style: darkRules(),
  });
}

const rowHeight = (overlays: readonly VariantInfo[]): number => overlays.length * THICKNESS + ROW_GAP;

function sidesOf({ tables, workloads, variants }: BenchResult): Side[] {
  return tables.map(({ offloads, rows }) => ({
    title: offloadsTitle(offloads),
    rows: workloads.map((workload) => {
      const results = rows.find((row) => row.workload === workload.id)?.results ?? {};
      return rowOf(workload, results, variants);
    }),
  }));
}

function rowOf(
  workload: WorkloadInfo,
  results: Record<string, Measurement>,
  variants: readonly VariantInfo[],
): Row {
  const speed = (ratio: number | null | undefined): number | null => {
    if (ratio === null || ratio === undefined || ratio === 0) return null;
    return workload.higherIsBetter ? ratio : 1 / ratio;
  };
  const shares = variants
    .filter(({ role }) => role !== 'bare')
    .flatMap(({ id }): [string, number][] => {
      const share = speed(results[id]?.ofBare);
      return share === null ? [] : [[id, share]];
    });
  const plait = variants.find(({ role }) => role === 'plait');
  return { workload, shares: new Map(shares), ratio: speed(plait && results[plait.id]?.toKernel) };
}

function describe(sides: readonly Side[], overlays: readonly VariantInfo[]): string {
  const sayRow = ({ workload, shares, ratio }: Row): string => {
    const each = overlays.map(({ id, title }) => `${title} ${percent(shares.get(id) ?? null)}`);
    return `${workload.title}: ${each.join(', ')}, Plait / kernel ${times(ratio)}`;
  };
  return sides.map(({ title, rows }) => `With ${title}: ${rows.map(sayRow).join('; ')}.`).join(' ');
}

function optionOf(result: BenchResult, sides: readonly Side[], overlays: readonly VariantInfo[]): PlotOption {
  const highest = Math.max(
    1,
    ...sides.flatMap(({ rows }) => rows.flatMap(({ shares }) => [...shares.values()])),
  );
  const [first] = sides;
  const wide = (WIDTH - LABELS - MARGIN) / sides.length;
  const left = (side: number): number => LABELS + wide * side;
  const names = (first?.rows ?? []).map(({ workload }) => ({ text: workload.title, style: plainText }));
  const blank = names.map(() => ({ text: '', style: plainText }));
  return {
    backgroundColor: SURFACE.paper.light,
    title: [...headings(result), ...sides.flatMap(({ title }, side) => sideTitles(title, left(side), wide))],
    legend: {
      left: MARGIN,
      top: 84,
      padding: 0,
      itemWidth: 14,
      itemHeight: THICKNESS,
      itemGap: 18,
      icon: 'rect',
      selectedMode: false,
      data: overlays.map(({ title }) => ({ name: title })),
      textStyle: plainText,
    },
    grid: sides.map((_, side) => ({
      left: left(side),
      width: wide - BEYOND - RATIO,
      top: TOP,
      bottom: BOTTOM,
    })),
    xAxis: sides.map((_, gridIndex) => ({
      ...lengthAxis,
      gridIndex,
      max: highest,
      interval: highest > 1.25 ? 0.5 : 0.25,
      axisLabel: { ...lengthLabel, formatter: percent, showMaxLabel: highest === 1 },
    })),
    yAxis: sides.flatMap(({ rows }, side) => [
      namesAxis(side === 0 ? names : blank, side),
      figuresAxis(
        rows.map(({ ratio }) => ({ text: times(ratio), style: strongText })),
        BEYOND + RATIO - 14,
        side,
      ),
    ]),
    series: sides.flatMap(({ rows }, side) =>
      overlays.map((variant) => bars(variant, rows, side, colourOf(variant, result.variants))),
    ),
  };
}

function headings(result: BenchResult): TitleComponentOption[] {
  const line = (text: string, top: number, textStyle: object): TitleComponentOption => ({
    text,
    top,
    left: MARGIN,
    padding: 0,
    textStyle,
  });
  const small = { fontSize: 12, fontWeight: 'normal', color: SURFACE.muted.light } as const;
  return [
    line(TITLE, 16, { fontSize: 17, fontWeight: 'bold', color: SURFACE.ink.light }),
    line(`${machineLine(result)}.`, 41, small),
    line(`${runLine(result)}.`, 58, small),
  ];
}

function sideTitles(text: string, left: number, wide: number): TitleComponentOption[] {
  const top = TOP - 24;
  return [
    { text: capital(text), left, top, padding: 0, textStyle: { ...strongText, fontSize: 13 } },
    {
      text: 'Plait / kernel',
      left: left + wide - 14,
      top: top + 2,
      padding: 0,
      textAlign: 'right',
      textStyle: { ...headingText, fontWeight: 'normal' },
    },
  ];
}

/** Where host to host is. */
const HOST = {
  z: 1,
  silent: true,
  symbol: 'none',
  label: { show: false },
  lineStyle: { color: SURFACE.muted.light, type: 'solid', width: 1 },
  data: [{ xAxis: 1 }],
} satisfies BarSeriesOption['markLine'];

function bars(variant: VariantInfo, rows: readonly Row[], side: number, color: string): BarSeriesOption {
  return {
    ...still,
    type: 'bar',
    name: variant.title,
    xAxisIndex: side,
    yAxisIndex: 2 * side,
    barWidth: THICKNESS,
    barGap: '0%',
    data: rows.map(({ shares }) => shares.get(variant.id) ?? '-'),
    itemStyle: { color },
    markLine: HOST,
    label: {
      show: true,
      position: 'right',
      distance: 2,
      fontSize: 10.5,
      color: SURFACE.ink.light,
      textBorderWidth: 0,
      backgroundColor: SURFACE.paper.light,
      padding: [0, 2],
      formatter: ({ value }) => percent(Number(value)),
    },
  };
}

const TITLE = 'Speed over an overlay, as a share of host-to-host speed';
