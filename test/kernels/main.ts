// The kernel matrix: boots a machine per kernel of kernels.json and runs the tiers that depend on the kernel in it.
//
//   node dist/test/kernels/main.js                      the files marked `// kernels: every`, and two machines together
//   … packet/receive host/net                           the files whose path holds this
//   … --kernel 6.1                                      one kernel (may be repeated)
//   … --tier packet                                     one tier (may be repeated): addon, packet, host, two-vms
//   … --all                                             the whole of the tiers, and no limit of ten minutes
//   … --suite trixie                                    packages of that release of Debian in the machines
//   … --limit SECONDS                                  another limit than ten minutes
//   … --json FILE                                       the results as JSON too
//   … --kernel 6.1 --shell                              a shell on the machine's console instead
//
// A machine that does not boot, a tier that ran no test and a time-out are failures. The output of the runs is in
// dist/kernels/. The last line is `N passed, N failed`.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { exitOnSignals, scratchDirectory } from '../vm/ending.js';
import { kernelOf, rootDisk } from '../vm/images.js';
import { shell } from '../vm/vm.js';
import { ENTER, machine, PACKAGES } from './guest.js';
import { jobDisk } from './job.js';
import { type LaneOptions, runLane, TIERS } from './lane.js';
import { printResult, printSum } from './result.js';

const TOP = join(import.meta.dirname, '..', '..', '..');
const LIST = join(TOP, 'test', 'kernels', 'kernels.json');
const LOGS = join(TOP, 'dist', 'kernels');
/** Images included. */
const LIMIT_S = 570;
const LIMIT_ALL_S = 4 * 3600;

function parse(argv: string[]) {
  const options = {
    kernel: { type: 'string', multiple: true },
    tier: { type: 'string', multiple: true },
    all: { type: 'boolean', default: false },
    json: { type: 'string' },
    suite: { type: 'string' },
    limit: { type: 'string', default: `${LIMIT_S}` },
    shell: { type: 'boolean', default: false },
  } as const;
  const { values, positionals } = parseArgs({ args: argv, options, allowPositionals: true });
  const list = JSON.parse(readFileSync(LIST, 'utf8')) as Record<string, string>;
  const { kernel: kernels = Object.keys(list), tier: tiers = TIERS, ...rest } = values;
  for (const name of kernels)
    if (!(name in list))
      throw new Error(`find kernel ${name}: kernels.json lists ${Object.keys(list).join(', ')}`);
  for (const tier of tiers)
    if (!TIERS.includes(tier)) throw new Error(`find tier ${tier}: there are ${TIERS.join(', ')}`);
  if (!(Number(rest.limit) > 0)) throw new Error(`read --limit ${rest.limit}: give seconds, more than 0`);
  const chosen = kernels.map((name) => ({ name, debianPackage: list[name] ?? '', suite: rest.suite }));
  return { ...rest, kernels: chosen, tiers, patterns: positionals };
}

type ShellOptions = Pick<LaneOptions, 'name' | 'debianPackage' | 'suite' | 'job'>;

async function openShell({ name, debianPackage, suite, job }: ShellOptions) {
  const kernel = await kernelOf(debianPackage);
  const root = await rootDisk({ kernel, suite, packages: PACKAGES });
  console.log(
    `To run tests in the machine:\n\n    ${ENTER}\n    node dist/test/run.js packet\n\nIts end: exit`,
  );
  await shell(machine({ name, kernel, root, job: await job, limitSeconds: 0 }));
}

async function main(argv: string[]): Promise<number> {
  const { kernels, tiers, patterns, all, limit, json, shell: wantsShell } = parse(argv);
  const deadline = performance.now() + (all ? LIMIT_ALL_S : Number(limit)) * 1000;
  const scratch = scratchDirectory('plait-kernels-');
  exitOnSignals();
  const job = jobDisk(scratch);
  job.catch(() => {}); // told by each kernel that waits for it
  if (wantsShell) {
    for (const kernel of kernels.slice(0, 1)) await openShell({ ...kernel, job });
    return 0;
  }

  mkdirSync(LOGS, { recursive: true });
  const lanes = kernels.map(async (kernel, index) => {
    const log = join(LOGS, `${kernel.name}.log`);
    const result = await runLane({
      ...{ ...kernel, job, tiers, patterns, all, deadline, log },
      pairFirst: index % 2 === 1,
    });
    printResult(result);
    return result;
  });
  const results = await Promise.all(lanes);
  if (json) writeFileSync(json, JSON.stringify(results, null, 2));
  return printSum(results);
}

process.exitCode = await main(process.argv.slice(2));
