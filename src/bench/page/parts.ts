/* What all plots share: how texts look, and the axis that is a column of texts. */
import type { CustomSeriesOption, XAXisComponentOption, YAXisComponentOption } from 'echarts';
import { SURFACE } from './palette.js';

export const plainText = { color: SURFACE.ink.light, fontSize: 12 } as const;
export const strongText = { ...plainText, fontWeight: 'bold' } as const;
export const headingText = { color: SURFACE.muted.light, fontSize: 11, fontStyle: 'italic' } as const;

export interface Cell {
  text: string;
  style: typeof plainText | typeof strongText | typeof headingText;
}

/** A text for each line of a plot, from the top: left of it, its right edge at the plot. */
export function namesAxis(cells: readonly Cell[], gridIndex = 0): YAXisComponentOption {
  const data = cells.map(({ text, style }) => ({ value: text, textStyle: style }));
  return { ...column, gridIndex, data, axisLabel: { interval: 0, margin: 8 } };
}

/** The same right of it. @param edge where the column's right edge is, pixels from the plot */
export function figuresAxis(cells: readonly Cell[], edge: number, gridIndex = 0): YAXisComponentOption {
  const align = 'right' as const;
  const data = cells.map(({ text, style }) => ({ value: text, textStyle: { ...style, align } }));
  return { ...column, gridIndex, data, position: 'right', axisLabel: { interval: 0, margin: edge } };
}

const column = {
  type: 'category',
  inverse: true,
  axisLine: { show: false },
  axisTick: { show: false },
  splitLine: { show: false },
} as const;

/** Lengths are measured from zero, always. */
export const lengthAxis = {
  type: 'value',
  min: 0,
  axisLine: { show: false },
  axisTick: { show: false },
  splitLine: { lineStyle: { color: SURFACE.line.light } },
} as const satisfies XAXisComponentOption;

export const lengthLabel = { color: SURFACE.muted.light, fontSize: 11 } as const;

/** No answer to the pointer: a picture that nothing runs in. */
export const still = { silent: true, emphasis: { disabled: true } } as const;

/** Pixels: the ends of a spread, and the middle of its bar. */
export interface Place {
  left: number;
  right: number;
  y: number;
}

export type CustomElement = NonNullable<ReturnType<NonNullable<CustomSeriesOption['renderItem']>>>;

/** A line with a cap at either end. */
export function whisker({ left, right, y }: Place): CustomElement {
  const cap = 5;
  const style = { stroke: SURFACE.ink.light, lineWidth: 1, fill: 'none' } as const;
  const stroke = (x1: number, y1: number, x2: number, y2: number) =>
    ({ type: 'line', shape: { x1, y1, x2, y2 }, style }) as const;
  return {
    type: 'group',
    children: [
      stroke(left, y, right, y),
      stroke(left, y - cap, left, y + cap),
      stroke(right, y - cap, right, y + cap),
    ],
  };
}
