/*
 * The whole result in one picture, for the head of a page or of a README: for each workload how much of host-to-host
 * speed is left over each overlay, and how Plait relates to the kernel's. Drawn so that it can be read alone.
 */
import type { BarSeriesOption, CustomSeriesOption, TitleComponentOption } from 'echarts';
import { PlaitError } from '../../model/errors.js';
import type { BenchResult, VariantInfo } from '../result.js';
import { percent, times } from './figures.js';
import type { Markup } from './html.js';
import type { Draw, PlotOption } from './library.js';
import { colourOf, darkRules, SURFACE } from './palette.js';
import {
  type CustomElement,
  figuresAxis,
  headingText,
  lengthAxis,
  lengthLabel,
  namesAxis,
  type Place,
  plainText,
  still,
  strongText,
  whisker,
} from './parts.js';
import { hasShares, type ShareRow, type Side, sayShares, sidesOf } from './shares.js';
import { capital, machineLine, runLine } from './words.js';

const WIDTH = 900;
const LABELS = 196;
const RATIO = 64;
/** Between the plots and the ratios. */
const BEYOND = 8;
const THICKNESS = 14;
const ROW_GAP = 13;
const TOP = 136;
const BOTTOM = 34;
const MARGIN = 18;

/** @throws PlaitError where nothing was measured from host to host */
export function drawPicture(draw: Draw, result: BenchResult): Markup {
  if (!hasShares(result))
    throw new PlaitError('NOTHING_TO_DRAW', 'draw the picture: the result has no host-to-host figures', {
      hint: 'measure again with host to host among the variants',
    });
  const overlays = overlaysOf(result);
  const sides = sidesOf(result);
  return draw(optionOf(result, sides, overlays), {
    width: WIDTH,
    height: TOP + result.workloads.length * rowHeight(overlays) + BOTTOM,
    id: 'picture',
    title: TITLE,
    description: sayShares(sides, overlays),
    style: darkRules(),
  });
}

const overlaysOf = ({ variants }: BenchResult): VariantInfo[] =>
  variants.filter(({ role }) => role !== 'bare');

const rowHeight = (overlays: readonly VariantInfo[]): number => overlays.length * THICKNESS + ROW_GAP;

function optionOf(result: BenchResult, sides: readonly Side[], overlays: readonly VariantInfo[]): PlotOption {
  const highest = Math.max(
    1,
    ...sides.flatMap(({ rows }) =>
      rows.flatMap(({ shares }) => [...shares.values()].map((share) => share.highest)),
    ),
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
    series: sides.flatMap((one, side) => [
      ...spreads(one, side, result),
      ...overlays.map((variant) => bars(variant, one.rows, side, colourOf(variant, result.variants))),
    ]),
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
    line(
      `${runLine(result)}; whiskers: lowest to highest sample; grey: the same of host to host.`,
      58,
      small,
    ),
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

function bars(variant: VariantInfo, rows: readonly ShareRow[], side: number, color: string): BarSeriesOption {
  return {
    ...still,
    type: 'bar',
    name: variant.title,
    xAxisIndex: side,
    yAxisIndex: 2 * side,
    barWidth: THICKNESS,
    barGap: '0%',
    data: rows.map(({ shares }) => shares.get(variant.id)?.median ?? '-'),
    itemStyle: { color },
    markLine: HOST,
    label: {
      show: true,
      position: 'insideLeft',
      distance: 6,
      fontSize: 10.5,
      fontWeight: 'bold',
      color: SURFACE.paper.light,
      textBorderWidth: 0,
      formatter: ({ value }) => percent(Number(value)),
    },
  };
}

/** From the lowest to the highest sample: of host to host a band behind the bars, of each overlay a whisker at its bar. */
function spreads({ rows }: Side, side: number, result: BenchResult): CustomSeriesOption[] {
  const overlays = overlaysOf(result);
  const series = (
    variant: VariantInfo,
    shape: (place: Place) => CustomElement,
    z: number,
  ): CustomSeriesOption => ({
    ...{ type: 'custom', silent: true, z, xAxisIndex: side, yAxisIndex: 2 * side },
    encode: { x: [0, 1], y: 2 },
    data: rows.flatMap(({ shares }, row) => {
      const share = shares.get(variant.id);
      return share ? [[share.lowest, share.highest, row]] : [];
    }),
    renderItem: (_, api) => {
      const [left = 0, y = 0] = api.coord([api.value(0), api.value(2)]);
      const [right = 0] = api.coord([api.value(1), api.value(2)]);
      return shape({ left, right, y });
    },
  });
  return result.variants.map((variant) => {
    if (variant.role === 'bare') return series(variant, band(rowHeight(overlays) - 5), 0);
    const index = overlays.indexOf(variant) - (overlays.length - 1) / 2;
    return series(variant, ({ left, right, y }) => whisker({ left, right, y: y + index * THICKNESS }), 4);
  });
}

const band =
  (height: number) =>
  ({ left, right, y }: Place): CustomElement => ({
    type: 'rect',
    shape: { x: left, y: y - height / 2, width: right - left, height },
    style: { fill: SURFACE.line.light },
  });

const TITLE = 'Speed over an overlay, as a share of host-to-host speed';
