// What the matrix says of a kernel.

import { readFileSync } from 'node:fs';
import type { RunReport } from '../runner/report.js';

export interface KernelResult extends RunReport {
  /** As kernels.json calls it. */
  name: string;
  /** As the kernel calls itself; unknown when there is no image. */
  version?: string;
  features?: Record<string, boolean>;
  /** From the images to the end. */
  seconds: number;
  /** What went wrong apart from tests. */
  problems: string[];
  log: string;
}

/** One line for the kernel, one for each that is wrong or left out. */
export function printResult(result: KernelResult): void {
  const { name, version = '?', passed, failed, skips, seconds } = result;
  const counts = `${passed} passed, ${failed} failed, ${skips.length} skipped`;
  console.log(`${name.padEnd(5)} ${version}: ${features(result)}; ${counts}; ${Math.round(seconds)} s`);
  for (const problem of result.problems) console.log(`      ${problem.replaceAll('\n', '\n      ')}`);
  for (const file of result.files.filter((one) => one.failed > 0)) {
    const problem = file.problem ? `: ${file.problem}` : '';
    console.log(`      ${file.name}: ${file.failed} failed${problem}`);
  }
  for (const skip of skips) console.log(`      skipped  ${skip}`);
  if (failed > 0) printFailures(result.log);
}

function features({ features = {} }: KernelResult): string {
  const those = (has: boolean): string =>
    Object.keys(features)
      .filter((name) => features[name] === has)
      .join(' ') || 'none';
  return `has ${those(true)}, lacks ${those(false)}`;
}

/** The steps and the files that failed, with their output, which is indented. */
function printFailures(log: string): void {
  const lines = readFileSync(log, 'utf8').split('\n');
  for (const line of lines.filter((one) => /^ {10}\| |^FAIL | FAILED/.test(one)))
    console.log(`      ${line}`);
  console.log(`      all of it: ${log}`);
}

/** The last line, and the exit code. */
export function printSum(results: readonly KernelResult[]): number {
  const sum = (of: (result: KernelResult) => number): number =>
    results.reduce((total, one) => total + of(one), 0);
  const [passed, failed] = [sum((one) => one.passed), sum((one) => one.failed)];
  console.log(`${passed} passed, ${failed} failed`);
  return failed > 0 || passed === 0 ? 1 : 0;
}
