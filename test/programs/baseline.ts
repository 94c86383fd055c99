/* The committed figures, and what has changed since. */
import { readFileSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { PlaitError } from '../../src/model/errors.js';
import type { Figure } from './arithmetic.js';

const figure = z.object({ ns: z.number(), noise: z.number(), ratio: z.number() });

const schema = z.object({
  kernel: z.string(),
  cpu: z.string(),
  /** What the calibration took there, ns. */
  calibrationNs: z.number().positive(),
  /** Verified instructions by program. */
  instructions: z.record(z.string(), z.number().int()),
  /** By the case's name. */
  cases: z.record(z.string(), figure),
});

/** What a run has found; a baseline is one of these. */
export type Figures = z.infer<typeof schema>;

const HINT = '`npm run bench:programs -- --update` writes one';

export function readBaseline(path: string): Figures {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new PlaitError('NO_BASELINE', `read baseline ${path}: no such file`, { hint: HINT, cause });
  }
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    throw new PlaitError('BAD_BASELINE', `read baseline ${path}: not what this version writes`, {
      hint: HINT,
      cause,
    });
  }
}

export function writeBaseline(path: string, figures: Figures): void {
  const short = ({ ns, noise, ratio }: Figure): Figure => ({
    ns: round(ns, 1),
    noise: round(noise, 1),
    ratio: round(ratio, 3),
  });
  const cases = Object.entries(figures.cases).map(([name, one]) => [name, short(one)] as const);
  const rounded = {
    ...figures,
    calibrationNs: round(figures.calibrationNs, 1),
    cases: Object.fromEntries(cases),
  };
  writeFileSync(path, `${JSON.stringify(rounded, null, 2)}\n`);
}

const round = (value: number, digits: number): number => Number(value.toFixed(digits));

export type State = 'both' | 'new' | 'gone';

export interface InstructionChange {
  program: string;
  state: State;
  now: number | undefined;
  was: number | undefined;
}

export interface CaseChange {
  name: string;
  state: State;
  now: Figure | undefined;
  was: Figure | undefined;
  /** What the baseline says for a machine with this calibration, ns. */
  expectedNs: number | undefined;
  /** Whether the noise of both runs together explains the difference. */
  isNoise: boolean;
}

export interface Comparison {
  instructions: InstructionChange[];
  cases: CaseChange[];
}

/** In the order of `now`; what is gone comes last. */
export function compare(now: Figures, was: Figures): Comparison {
  return {
    instructions: pair(now.instructions, was.instructions).map(({ name, ...rest }) => ({
      program: name,
      ...rest,
    })),
    cases: pair(now.cases, was.cases).map((row) => ({
      ...row,
      ...expect(row, now.calibrationNs, was.calibrationNs),
    })),
  };
}

interface Pair<T> {
  name: string;
  state: State;
  now: T | undefined;
  was: T | undefined;
}

function pair<T>(now: Record<string, T>, was: Record<string, T>): Pair<T>[] {
  const gone = Object.keys(was).filter((name) => !(name in now));
  return [...Object.keys(now), ...gone].map((name) => {
    const state = !(name in was) ? 'new' : name in now ? 'both' : 'gone';
    return { name, state, now: now[name], was: was[name] };
  });
}

/** By shares of the calibration's time, which machines have in common. */
function expect(
  { now, was }: Pair<Figure>,
  nowNs: number,
  wasNs: number,
): Pick<CaseChange, 'expectedNs' | 'isNoise'> {
  if (!now || !was) return { expectedNs: undefined, isNoise: false };
  const expectedNs = was.ratio * nowNs;
  const noise = now.noise + was.noise * (nowNs / wasNs);
  return { expectedNs, isNoise: Math.abs(now.ns - expectedNs) <= noise };
}

/** A line for each program that takes the verifier more than its limit. */
export function tooBig(
  instructions: Figures['instructions'],
  limits: Readonly<Record<string, number>>,
): string[] {
  return Object.entries(instructions).flatMap(([program, count]) => {
    const limit = limits[program] ?? 0;
    if (count <= limit) return [];
    return `${program}: ${count} instructions are more than its limit of ${limit} (test/packet/support/limits.ts)`;
  });
}
