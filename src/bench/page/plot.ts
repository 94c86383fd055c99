/*
 * A panel as a plot: horizontal bars from zero to the median, whiskers from the lowest to the highest sample, the samples
 * as dots, and beside each bar its figures in columns, so that nothing has to be read off an axis.
 */
import type { BarSeriesOption, CustomSeriesOption, ScatterSeriesOption } from 'echarts';
import type { VariantInfo } from '../result.js';
import { brief, tick } from './figures.js';
import type { Markup } from './html.js';
import type { Draw, PlotOption } from './library.js';
import { colourOf, SURFACE } from './palette.js';
import type { Bar, Panel } from './panels.js';
import {
  type Cell,
  figuresAxis,
  headingText,
  lengthAxis,
  lengthLabel,
  namesAxis,
  plainText,
  still,
  strongText,
  whisker,
} from './parts.js';

const WIDTH = 560;
const ROW = 23;
const THICKNESS = 15;
const TOP = 2;
const BOTTOM = 22;
const LABELS = 112;
const COLUMN = 60;
/** Right of the axis: half of its last label. */
const GAP = 14;

/** A line of the plot: a bar, or the name of a block above its bars. */
type Line = { heading: string } | { bar: Bar };

export function plotPanel(draw: Draw, panel: Panel, variants: readonly VariantInfo[]): Markup {
  const lines = linesOf(panel);
  const height = TOP + ROW * lines.length + BOTTOM;
  return draw(optionOf(panel, lines, variants), {
    width: WIDTH,
    height,
    id: panel.id,
    title: `${panel.title}, ${panel.unit}`,
    description: describe(panel),
  });
}

function linesOf({ blocks }: Panel): Line[] {
  return blocks.flatMap(({ title, bars }) => [{ heading: title }, ...bars.map((bar) => ({ bar }))]);
}

/** What the plot shows, in words. */
function describe({ blocks, unit }: Panel): string {
  const sayBar = ({ variant, summary, tail }: Bar): string =>
    `${variant.title} ${brief(summary.median)} (${brief(summary.min)} to ${brief(summary.max)}${
      tail === undefined ? '' : `; 99th percentile ${brief(tail)}`
    })`;
  return blocks.map(({ title, bars }) => `With ${title}, ${unit}: ${bars.map(sayBar).join(', ')}.`).join(' ');
}

function optionOf(panel: Panel, lines: readonly Line[], variants: readonly VariantInfo[]): PlotOption {
  const colour = (bar: Bar): string => colourOf(bar.variant, variants);
  return {
    grid: { left: LABELS, right: COLUMN * panel.columns.length + GAP, top: TOP, bottom: BOTTOM },
    xAxis: {
      ...lengthAxis,
      ...scaleOf(panel),
      axisLabel: { ...lengthLabel, formatter: tick, hideOverlap: true },
    },
    yAxis: [
      namesAxis(namesOf(lines)),
      ...panel.columns.map((name, index) =>
        figuresAxis(columnOf(name, index, lines), COLUMN * (index + 1) + GAP - 4),
      ),
    ],
    series: [
      bars(lines, ({ tail }) => tail, colour, 0.35),
      bars(lines, ({ summary }) => summary.median, colour, 1),
      whiskers(lines),
      samples(lines),
    ],
  };
}

/** From zero to the next round number after everything drawn, in three to five steps. */
function scaleOf({ blocks }: Panel): { max: number; interval: number } {
  const highest = Math.max(
    ...blocks.flatMap(({ bars }) => bars.map(({ summary, tail }) => Math.max(summary.max, tail ?? 0))),
  );
  const decade = 10 ** Math.floor(Math.log10(highest || 1));
  const interval = decade * ([0.2, 0.25, 0.5, 1, 2].find((step) => highest <= 5 * step * decade) ?? 2);
  return { max: interval * Math.ceil(highest / interval), interval };
}

function namesOf(lines: readonly Line[]): Cell[] {
  return lines.map((line) =>
    'heading' in line
      ? { text: line.heading, style: headingText }
      : { text: line.bar.variant.title, style: textOf(line.bar) },
  );
}

/** Headed once. */
function columnOf(name: string, index: number, lines: readonly Line[]): Cell[] {
  return lines.map((line, row) => {
    if ('heading' in line) return { text: row === 0 ? name : '', style: headingText };
    return { text: line.bar.columns[index] ?? '', style: textOf(line.bar) };
  });
}

const textOf = ({ variant }: Bar): typeof plainText | typeof strongText =>
  variant.role === 'plait' ? strongText : plainText;

function bars(
  lines: readonly Line[],
  length: (bar: Bar) => number | undefined,
  colour: (bar: Bar) => string,
  opacity: number,
): BarSeriesOption {
  const data = lines.map((line) => {
    const value = 'bar' in line ? length(line.bar) : undefined;
    if (value === undefined || !('bar' in line)) return '-';
    return { value, itemStyle: { color: colour(line.bar), opacity } };
  });
  return { type: 'bar', ...still, barWidth: THICKNESS, barGap: '-100%', data };
}

/** From the lowest to the highest sample. */
function whiskers(lines: readonly Line[]): CustomSeriesOption {
  const data = lines.flatMap((line, row) =>
    'bar' in line ? [[line.bar.summary.min, line.bar.summary.max, row]] : [],
  );
  return {
    ...{ type: 'custom', silent: true, z: 4, encode: { x: [0, 1], y: 2 }, data },
    renderItem: (_, api) => {
      const [left = 0, y = 0] = api.coord([api.value(0), api.value(2)]);
      const [right = 0] = api.coord([api.value(1), api.value(2)]);
      return whisker({ left, right, y });
    },
  };
}

/** One below the other in the order in which they were measured. */
function samples(lines: readonly Line[]): ScatterSeriesOption {
  const data = lines.flatMap((line, row) =>
    'bar' in line
      ? line.bar.summary.samples.map((value, index, { length }) => ({
          value: [value, row],
          symbolOffset: [0, length < 2 ? 0 : (index / (length - 1) - 0.5) * (THICKNESS - 3)],
        }))
      : [],
  );
  const itemStyle = {
    color: SURFACE.paper.light,
    borderColor: SURFACE.ink.light,
    borderWidth: 0.6,
    opacity: 1,
  };
  return { type: 'scatter', ...still, z: 5, symbolSize: 2.6, itemStyle, data };
}
