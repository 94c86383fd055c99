/* What `npm run bench:programs` prints for people. */
import { type Column, formatTable } from '../../src/output/table.js';
import type { CaseChange, Comparison, Figures, InstructionChange } from './baseline.js';

/** Most verified instructions, by program. */
type Limits = Readonly<Record<string, number>>;

export function report(now: Figures, was: Figures, comparison: Comparison, limits: Limits): string {
  return [
    `Linux ${now.kernel}, ${now.cpu}; the baseline: Linux ${was.kernel}, ${was.cpu}\n`,
    formatTable(instructionColumns(limits), comparison.instructions),
    `ns over an empty program; × is shares of the calibration, ${fixed(now.calibrationNs)} ns here; WAS is the baseline's share of it.\n`,
    formatTable(caseColumns, comparison.cases),
  ].join('\n');
}

const instructionColumns = (limits: Limits): Column<InstructionChange>[] => [
  { title: 'PROGRAM', text: ({ program }) => program },
  { title: 'INSTRUCTIONS', text: ({ now }) => text(now), align: 'right' },
  { title: 'WAS', text: ({ was }) => text(was), align: 'right' },
  { title: 'CHANGE', text: instructionChange, align: 'right' },
  { title: 'LIMIT', text: ({ program }) => text(limits[program]), align: 'right' },
];

function instructionChange({ state, now = 0, was = 0 }: InstructionChange): string {
  if (state !== 'both') return state;
  return now === was ? '=' : signed(now - was, 0);
}

const caseColumns: Column<CaseChange>[] = [
  { title: 'CASE', text: ({ name }) => name },
  { title: 'NS', text: ({ now }) => fixed(now?.ns), align: 'right' },
  { title: '±', text: ({ now }) => fixed(now?.noise), align: 'right' },
  { title: '×', text: ({ now }) => text(now?.ratio.toFixed(2)), align: 'right' },
  { title: 'WAS', text: ({ expectedNs, was }) => fixed(expectedNs ?? was?.ns), align: 'right' },
  { title: 'CHANGE', text: caseChange, align: 'right' },
];

/** Per cent of next to nothing say nothing. */
const SMALL_NS = 20;

function caseChange({ state, now, expectedNs, isNoise }: CaseChange): string {
  if (!now || expectedNs === undefined) return state;
  if (isNoise) return 'noise';
  const change = now.ns - expectedNs;
  const share = expectedNs < SMALL_NS ? '' : `, ${signed((100 * change) / expectedNs, 0)} %`;
  return `${signed(change, 0)} ns${share}`;
}

const signed = (value: number, digits: number): string =>
  `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(digits)}`;
const fixed = (value: number | undefined): string => text(value?.toFixed(0));
const text = (value: number | string | undefined): string => (value === undefined ? '-' : String(value));
