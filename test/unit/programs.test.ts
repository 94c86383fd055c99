/* The arithmetic of `npm run bench:programs`, and its baseline. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { PlaitError } from '../../src/model/errors.js';
import { type Figure, figureOf, undisturbedMean } from '../programs/arithmetic.js';
import {
  type CaseChange,
  compare,
  type Figures,
  readBaseline,
  tooBig,
  writeBaseline,
} from '../programs/baseline.js';
import { report } from '../programs/report.js';

const test = suite('bench:programs');

const times = (count: number, value: number): number[] => Array<number>(count).fill(value);

for (const { what, values, mean } of [
  { what: 'is the value of a single run', values: [70], mean: 70 },
  { what: 'leaves out the tenth that was disturbed', values: [...times(9, 80), 9000], mean: 80 },
  { what: 'does not depend on the order', values: [9000, ...times(9, 80)], mean: 80 },
  {
    what: 'keeps the fastest, which nothing can have disturbed',
    values: [...times(9, 80), 50, 9000],
    mean: 77,
  },
  {
    what: 'lies between two ticks of the clock',
    values: [...times(6, 70), ...times(14, 80)],
    mean: 76 + 2 / 3,
  },
]) {
  test(`a mean of runs ${what}`, () => assert.ok(Math.abs(undisturbedMean(values) - mean) < 1e-9));
}

test('no mean is taken of nothing', () => {
  assert.throws(() => undisturbedMean([]), /there are no values/);
});

test('a figure is what a run takes beyond an empty one, by the median of the rounds', () => {
  const rounds = [100, 110, 120, 130, 1000].map((run) => ({ run, base: 50 }));
  const calibration = rounds.map(() => ({ run: 150, base: 50 }));
  assert.equal(figureOf(rounds, calibration), { ns: 70, noise: (950 - 50) / 2, ratio: 0.7 });
});

test('the ratio is taken round by round: a machine that slows down slows both', () => {
  const pace = [1, 1, 2, 3, 3];
  const rounds = pace.map((factor) => ({ run: 90 * factor, base: 40 * factor }));
  const calibration = pace.map((factor) => ({ run: 140 * factor, base: 40 * factor }));
  const { ns, ratio } = figureOf(rounds, calibration);
  assert.equal({ ns, ratio }, { ns: 100, ratio: 0.5 });
});

test('a round without its calibration is no figure', () => {
  assert.throws(() => figureOf([{ run: 2, base: 1 }], []), /round 0 has none/);
});

const figure = (ns: number, noise: number, ratio: number): Figure => ({ ns, noise, ratio });
const figures = (changes: Partial<Figures>): Figures => ({
  ...{ kernel: '6.18.0', cpu: 'a processor', calibrationNs: 200, instructions: {}, cases: {} },
  ...changes,
});
const changeOf = (now: Partial<Figures>, was: Partial<Figures>): CaseChange => {
  const [change] = compare(figures(now), figures(was)).cases;
  if (!change) throw new Error('one case is compared');
  return change;
};

for (const { what, now, was, expectedNs, isNoise } of [
  { what: 'within the noise of both', now: figure(110, 6, 0.55), was: figure(100, 5, 0.5), isNoise: true },
  { what: 'at its very edge', now: figure(111, 6, 0.555), was: figure(100, 5, 0.5), isNoise: true },
  { what: 'beyond it', now: figure(112, 6, 0.56), was: figure(100, 5, 0.5), isNoise: false },
  { what: 'beyond it, and faster', now: figure(88, 6, 0.44), was: figure(100, 5, 0.5), isNoise: false },
  {
    what: 'from nothing to next to nothing',
    now: figure(3, 2, 0.015),
    was: figure(0, 2, 0),
    expectedNs: 0,
    isNoise: true,
  },
]) {
  test(`a change ${what} is ${isNoise ? 'noise' : 'told'}`, () => {
    const change = changeOf({ cases: { one: now } }, { cases: { one: was } });
    assert.equal([change.expectedNs, change.isNoise], [expectedNs ?? 100, isNoise]);
  });
}

test('a slower machine is expected to take as many shares of the calibration, not as many ns', () => {
  const now = { calibrationNs: 400, cases: { one: figure(205, 2, 0.5125) } };
  const change = changeOf(now, { cases: { one: figure(100, 2, 0.5) } });
  assert.equal([change.expectedNs, change.isNoise], [200, true]);
});

test('cases and programs that are new or gone are told as such, the gone ones last', () => {
  const one = figure(100, 1, 0.5);
  const now = figures({ instructions: { from_new: 7, from_both: 5 }, cases: { new: one, both: one } });
  const was = figures({ instructions: { from_gone: 9, from_both: 4 }, cases: { gone: one, both: one } });
  const comparison = compare(now, was);
  assert.equal(
    comparison.cases.map(({ name, state }) => [name, state]),
    [
      ['new', 'new'],
      ['both', 'both'],
      ['gone', 'gone'],
    ],
  );
  assert.equal(comparison.instructions, [
    { program: 'from_new', state: 'new', now: 7, was: undefined },
    { program: 'from_both', state: 'both', now: 5, was: 4 },
    { program: 'from_gone', state: 'gone', now: undefined, was: 9 },
  ]);
  const lines = report(now, was, comparison, { from_both: 10 }).split('\n');
  assert.ok(lines.some((line) => /^from_both +5 +4 +\+1 +10$/.test(line)));
  assert.ok(lines.some((line) => /^from_gone +- +9 +gone +-$/.test(line)));
  assert.ok(lines.some((line) => /^gone +- +- +- +100 +gone$/.test(line)));
});

test('the report tells a change in ns, and in per cent where that says something', () => {
  const was = figures({ cases: { small: figure(5, 1, 0.025), big: figure(100, 1, 0.5) } });
  const now = figures({ cases: { small: figure(9, 1, 0.045), big: figure(80, 1, 0.4) } });
  const lines = report(now, was, compare(now, was), {}).split('\n');
  assert.match(lines.find((line) => line.startsWith('small')) ?? '', / \+4 ns$/);
  assert.match(lines.find((line) => line.startsWith('big')) ?? '', / −20 ns, −20 %$/);
});

test('a program over its limit is named, one at its limit is not, and none is without a limit', () => {
  const lines = tooBig({ at: 10, over: 11, unknown: 1 }, { at: 10, over: 10 });
  assert.is(lines.length, 2);
  assert.match(lines[0] ?? '', /^over: 11 instructions are more than its limit of 10 /);
  assert.match(lines[1] ?? '', /^unknown: 1 instructions are more than its limit of 0 /);
});

function withFile(action: (path: string) => void): void {
  const directory = mkdtempSync(join(tmpdir(), 'plait-programs-'));
  try {
    action(join(directory, 'baseline.json'));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function refusal(action: () => unknown): PlaitError {
  try {
    action();
  } catch (error) {
    if (error instanceof PlaitError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

test('a baseline is read as it was written, with as many digits as it deserves', () => {
  withFile((path) => {
    const written = figures({ instructions: { from_one: 7 }, cases: { one: figure(1.26, 0.04, 0.12345) } });
    writeBaseline(path, written);
    assert.equal(readBaseline(path), { ...written, cases: { one: figure(1.3, 0, 0.123) } });
    assert.ok(readFileSync(path, 'utf8').endsWith('}\n'));
  });
});

test('a baseline that is missing or of another shape is refused, with the way out', () => {
  withFile((path) => {
    const missing = refusal(() => readBaseline(path));
    assert.equal([missing.code, missing.message], ['NO_BASELINE', `read baseline ${path}: no such file`]);
    assert.match(missing.hint ?? '', /--update/);
    for (const text of ['', '{', '{}', '[]', JSON.stringify(figures({ calibrationNs: 0 }))]) {
      writeFileSync(path, text);
      assert.is(refusal(() => readBaseline(path)).code, 'BAD_BASELINE', text);
    }
  });
});

test.run();
