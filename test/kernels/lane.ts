// All that the matrix does with one kernel, one thing after the other. Two lanes fill a machine of two processors.

import { appendFileSync, writeFileSync } from 'node:fs';
import type { RunReport } from '../runner/report.js';
import { type Kernel, kernelOf, rootDisk } from '../vm/images.js';
import { PACKAGES, runInGuest } from './guest.js';
import type { KernelResult } from './result.js';
import { runTwoVms } from './two-vms.js';

/** Not a tier of the runner: two machines of the kernel on one underlay. */
const TWO_VMS = 'two-vms';
export const TIERS = ['addon', 'packet', 'host', TWO_VMS];

export interface LaneOptions {
  /** As kernels.json calls it. */
  name: string;
  debianPackage: string;
  /** Release of Debian that the machine's packages are of; see rootDisk. */
  suite: string | undefined;
  /** The disk with the tree's build. */
  job: Promise<string>;
  tiers: readonly string[];
  /** Instead of tiers. */
  patterns: readonly string[];
  all: boolean;
  /** The two machines before the tests. Lanes that take turns with them have the processors to themselves more often. */
  pairFirst: boolean;
  /** By performance.now(). */
  deadline: number;
  log: string;
}

interface Images {
  kernel: Kernel;
  root: string;
}

/** Never fails: whatever goes wrong is a failure in the result. */
export async function runLane(options: LaneOptions): Promise<KernelResult> {
  const { name, log, patterns, tiers } = options;
  const started = performance.now();
  const result: KernelResult = { name, log, seconds: 0, problems: [], ...emptyReport() };
  const attempt = async (what: string, action: () => Promise<void>): Promise<void> => {
    try {
      await action();
    } catch (error) {
      fail(result, `${what}: ${error instanceof Error ? error.message : error}`);
    }
  };
  writeFileSync(log, '');
  await attempt('images', async () => {
    const kernel = await kernelOf(options.debianPackage);
    const images = { kernel, root: await rootDisk({ kernel, suite: options.suite, packages: PACKAGES }) };
    result.version = kernel.version;
    const tests = async (): Promise<void> => {
      if (runnerArguments(options).length > 0)
        await attempt('tests', () => runTests(result, images, options));
    };
    const pair = async (): Promise<void> => {
      if (patterns.length > 0 || !tiers.includes(TWO_VMS)) return;
      await attempt(TWO_VMS, () => runScenario(result, images, options));
    };
    for (const part of options.pairFirst ? [pair, tests] : [tests, pair]) await part();
  });
  result.seconds = (performance.now() - started) / 1000;
  return result;
}

async function runTests(result: KernelResult, images: Images, options: LaneOptions): Promise<void> {
  const { name, log, patterns, tiers } = options;
  const job = await options.job;
  const limitSeconds = secondsLeft(options);
  const args = runnerArguments(options);
  const { features, report } = await runInGuest({ name, ...images, job, limitSeconds, log, args });
  result.features = features;
  add(result, report);
  if (patterns.length > 0) return;
  const ran = new Set(report.files.filter((file) => file.passed + file.failed > 0).map(({ tier }) => tier));
  for (const tier of tiers) if (tier !== TWO_VMS && !ran.has(tier)) fail(result, `tier ${tier} ran no test`);
}

const secondsLeft = ({ deadline }: LaneOptions): number =>
  Math.max(1, Math.round((deadline - performance.now()) / 1000));

function runnerArguments({ all, tiers, patterns }: LaneOptions): string[] {
  if (patterns.length > 0) return [...patterns];
  const wanted = tiers.filter((tier) => tier !== TWO_VMS);
  return wanted.length > 0 && !all ? ['--every-kernel', ...wanted] : wanted;
}

async function runScenario(
  result: KernelResult,
  { kernel, root }: Images,
  options: LaneOptions,
): Promise<void> {
  const log = (line: string): void => appendFileSync(options.log, `${line}\n`);
  const limitSeconds = secondsLeft(options);
  const { passed, failed, skips, seconds } = await runTwoVms(kernel, {
    root,
    log,
    limitSeconds,
    brief: !options.all,
  });
  const file = {
    name: TWO_VMS,
    tier: TWO_VMS,
    passed,
    failed,
    skips,
    notes: [],
    milliseconds: seconds * 1000,
  };
  add(result, {
    passed,
    failed,
    skips: skips.map((skip) => `${TWO_VMS}: ${skip}`),
    unmatched: [],
    files: [file],
  });
  if (passed + failed === 0) fail(result, `${TWO_VMS} ran no step`);
}

const emptyReport = (): RunReport => ({ passed: 0, failed: 0, skips: [], unmatched: [], files: [] });

function add(result: KernelResult, report: RunReport): void {
  result.passed += report.passed;
  result.failed += report.failed;
  result.skips.push(...report.skips);
  result.files.push(...report.files);
  result.problems.push(...report.unmatched.map((pattern) => `nothing matches "${pattern}"`));
}

function fail(result: KernelResult, problem: string): void {
  result.failed += 1;
  result.problems.push(problem);
}
