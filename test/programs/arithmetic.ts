/*
 * From single runs to a figure. The clock of a test run may tick in steps of 10 ns and more, so that single runs are
 * multiples of that, and the true time is in their mean: a median, or the mean of the middle, would stick to the nearest
 * tick. Interrupts only ever add, so the mean leaves out the slowest tenth, and nothing at the other end. The median
 * over many short rounds leaves out bad moments of the machine.
 */
import { median, percentile } from '../../src/bench/statistics.js';

export interface Figure {
  ns: number;
  /** Half of what lies between the 10th and the 90th percentile of the rounds, ns. */
  noise: number;
  /** In shares of the calibration's time in the same round, so that other machines' figures compare. */
  ratio: number;
}

/** The mean of all but the highest tenth. */
export function undisturbedMean(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const kept = sorted.slice(0, Math.ceil(sorted.length * 0.9));
  if (kept.length === 0) throw new Error('take a mean: there are no values');
  return kept.reduce((sum, value) => sum + value, 0) / kept.length;
}

/** One round: a program's runs, and what the same runs take with nothing in them, ns. */
export interface Round {
  run: number;
  base: number;
}

export const net = ({ run, base }: Round): number => run - base;

/** `calibration` has as many rounds, and each was measured with the round of the same index. */
export function figureOf(rounds: readonly Round[], calibration: readonly Round[]): Figure {
  const times = rounds.map(net);
  const ratios = rounds.map((round, i) => {
    const beside = calibration[i];
    if (!beside) throw new Error(`divide by the calibration: round ${i} has none`);
    return net(round) / net(beside);
  });
  return {
    ns: median(times),
    noise: (percentile(times, 0.9) - percentile(times, 0.1)) / 2,
    ratio: median(ratios),
  };
}
