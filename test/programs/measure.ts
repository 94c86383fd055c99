/* Times cases in rounds: each round has every case once, in another order, beside the calibration. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { type Figure, figureOf, type Round, undisturbedMean } from './arithmetic.js';
import type { Timed, TimedCase } from './bench.js';

export interface MeasureOptions {
  rounds: number;
  /** Test runs per case and round. */
  samples: number;
}

/** By the name of the case, or of the calibration. */
export type Rounds = Map<string, Round[]>;

/**
 * Adds rounds to what was found before. Each run is a test run of its own with a fresh packet: a program that changes it
 * would find its own work in the second run of a `repeat`.
 */
export async function measureInto(
  found: Rounds,
  cases: readonly TimedCase[],
  { rounds, samples }: MeasureOptions,
): Promise<void> {
  for (const one of cases) time(one, samples); // caches and branch predictors get to know them
  for (let round = 0; round < rounds; round++) {
    await setImmediate(); // signals are heard
    for (const i of cases.keys()) {
      const one = cases[(i + round) % cases.length];
      if (one) found.set(one.name, [...(found.get(one.name) ?? []), time(one, samples)]);
    }
  }
}

/** Figures by name, the calibration's own among them. */
export function figuresOf(found: Rounds, calibration: string): Map<string, Figure> {
  const beside = found.get(calibration) ?? [];
  return new Map([...found].map(([name, rounds]) => [name, figureOf(rounds, beside)]));
}

/** Run and base by turns, in small portions: a clock that changes its pace does so for both. */
function time({ run, base }: TimedCase, samples: number): Round {
  const times = { run: [] as number[], base: [] as number[] };
  const portion = Math.max(1, Math.floor(samples / 4));
  while (times.run.length < samples) {
    runMany(base, portion, times.base);
    runMany(run, portion, times.run);
  }
  return { run: undisturbedMean(times.run), base: undisturbedMean(times.base) };
}

function runMany({ program, input }: Timed, count: number, into: number[]): void {
  for (let i = 0; i < count; i++) into.push(program.testRun(input).durationNs);
}

/** Keeps this process on the last of the CPUs that it may use, away from the first, which gets most interrupts. */
export function pinToOneCpu(): number {
  const allowed = /^Cpus_allowed_list:\s*(.+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  const cpu = Number(/(\d+)$/.exec(allowed)?.[1] ?? 0);
  execFileSync('taskset', ['-acp', String(cpu), String(process.pid)]);
  return cpu;
}
