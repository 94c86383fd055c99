// The kernel matrix: boots a machine per kernel of kernels.json and runs the tiers that depend on the kernel in it.
//
//   node dist/test/kernels/main.js                      the files marked `// kernels: every`, and two machines together
//   … packet/receive host/net                           the files whose path holds this
//   … --kernel 6.1                                      one kernel (may be repeated)
//   … --tier packet                                     one tier (may be repeated)
//   … --all                                             the whole of the tiers, and no limit of ten minutes
//   … --json FILE                                       the results as JSON too
//   … --kernel 6.1 --shell                              a shell on the machine's console instead
//
// A machine that does not boot, a tier that ran no test and a time-out are failures. The output of the runs is in
// dist/kernels/. The last line is `N passed, N failed`.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { kernelOf, rootDisk } from '../vm/images.js';
import { shell } from '../vm/vm.js';
import { ENTER, type GuestOutcome, machine, PACKAGES, runInGuest } from './guest.js';
import { jobDisk } from './job.js';
import { describe, type KernelResult, printResult } from './result.js';

const TOP = join(import.meta.dirname, '..', '..', '..');
const LIST = join(TOP, 'test', 'kernels', 'kernels.json');
const LOGS = join(TOP, 'dist', 'kernels');
const TIERS = ['addon', 'packet', 'host'];
/** From here to the last result, images included. */
const LIMIT_S = 570;
const LIMIT_ALL_S = 4 * 3600;

interface Options {
  kernels: string[];
  tiers: string[];
  patterns: string[];
  all: boolean;
  deadline: number;
}

async function runKernel(
  name: string,
  debianPackage: string,
  job: Promise<string>,
  options: Options,
): Promise<KernelResult> {
  const started = performance.now();
  const seconds = (): number => (performance.now() - started) / 1000;
  const log = join(LOGS, `${name}.log`);
  try {
    const kernel = await kernelOf(debianPackage);
    const root = await rootDisk({ kernel, packages: PACKAGES });
    const limitSeconds = Math.max(1, (options.deadline - performance.now()) / 1000);
    const parts = { name, kernel, root, job: await job, limitSeconds, log };
    const outcome = await runInGuest({ ...parts, args: runnerArguments(options) });
    return { name, version: kernel.version, log, seconds: seconds(), ...judged(outcome, options) };
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    return { name, log, seconds: seconds(), passed: 0, failed: 1, skips: [], files: [], problems: [problem] };
  }
}

function runnerArguments({ all, tiers, patterns }: Options): string[] {
  if (patterns.length > 0) return patterns;
  return all ? tiers : ['--every-kernel', ...tiers];
}

/** A tier that ran nothing has failed, whatever the runner thinks of it. */
function judged(
  outcome: GuestOutcome,
  { tiers, patterns }: Options,
): Omit<KernelResult, 'name' | 'seconds' | 'log'> {
  const ran = new Set(
    outcome.files.filter(({ passed, failed }) => passed + failed > 0).map(({ tier }) => tier),
  );
  const empty = patterns.length > 0 ? [] : tiers.filter((tier) => !ran.has(tier));
  const problems = empty.map((tier) => `tier ${tier} ran no test`);
  return { ...outcome, failed: outcome.failed + empty.length, problems };
}

async function openShell(name: string, debianPackage: string, job: Promise<string>): Promise<void> {
  const kernel = await kernelOf(debianPackage);
  const root = await rootDisk({ kernel, packages: PACKAGES });
  console.log(`in the machine: ${ENTER}; its end: exit`);
  await shell(machine({ name, kernel, root, job: await job, limitSeconds: 0 }));
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: {
      kernel: { type: 'string', multiple: true },
      tier: { type: 'string', multiple: true },
      all: { type: 'boolean', default: false },
      json: { type: 'string' },
      shell: { type: 'boolean' },
    },
    allowPositionals: true,
  });
  const list = JSON.parse(readFileSync(LIST, 'utf8')) as Record<string, string>;
  const kernels = values.kernel ?? Object.keys(list);
  const unknown = [
    ...kernels.filter((name) => !(name in list)),
    ...(values.tier ?? []).filter((tier) => !TIERS.includes(tier)),
  ];
  if (unknown.length > 0) throw new Error(`unknown kernel or tier: ${unknown.join(', ')}`);
  const deadline = performance.now() + (values.all ? LIMIT_ALL_S : LIMIT_S) * 1000;
  const options = { kernels, tiers: values.tier ?? TIERS, patterns: positionals, all: values.all, deadline };

  mkdirSync(LOGS, { recursive: true });
  const scratch = mkdtempSync(join(tmpdir(), 'plait-kernels-'));
  try {
    const job = jobDisk(scratch);
    job.catch(() => {}); // told by each kernel that waits for it
    if (values.shell) {
      await openShell(kernels[0] ?? '', list[kernels[0] ?? ''] ?? '', job);
      return 0;
    }
    const results = await Promise.all(
      kernels.map(async (name) => {
        const result = await runKernel(name, list[name] ?? '', job, options);
        printResult(result);
        return result;
      }),
    );
    if (values.json) writeFileSync(values.json, JSON.stringify(results, null, 2));
    return describe(results);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

process.exitCode = await main();
