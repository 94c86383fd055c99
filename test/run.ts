// Runs the test files, each in a process of its own with a timeout, and proves that they left nothing behind.
//
//   node dist/test/run.js                 everything
//   node dist/test/run.js unit packet     two tiers
//   node dist/test/run.js host/cluster    the files whose path holds this
//   --every-kernel                        of those, the files that the kernel matrix runs everywhere
//   --json FILE                           the results as JSON too
//
// uvu exits 0 for a file that never calls `.run()` and for a pattern that matches nothing; both fail here.
// A file may state its own limit in a line `// timeout: 300 s`, and a test that cannot run on this kernel prints
// `SKIP <name>: <reason>`. The last line is `N passed, N failed`. README.md tells the rest.

import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type FileResult, runFile } from './runner/file.js';
import { findFiles, isForEveryKernel, select, type TestFile } from './runner/files.js';
import { describeLeaks, type Footprint, footprint, killLeaked, type Marker } from './runner/leaks.js';
import type { RunReport } from './runner/report.js';

function print(file: TestFile, result: FileResult): void {
  const seconds = (result.milliseconds / 1000).toFixed(1).padStart(6);
  const skipped = result.skips.length > 0 ? `, ${result.skips.length} skipped` : '';
  const failed = result.failed > 0 ? `, ${result.failed} FAILED` : '';
  console.log(`${seconds} s  ${file.name.padEnd(44)} ${result.passed} passed${failed}${skipped}`);
  for (const note of result.notes) console.log(`          ${note}`);
  if (result.failed === 0) return;
  if (result.problem) console.log(`          ${result.problem}`);
  console.log(result.output.trimEnd().replace(/^/gm, '          | '));
}

/** What a file leaves behind is its own failure. */
async function checkLeaks(before: Footprint, marker: Marker): Promise<string[]> {
  const leaks = await describeLeaks(before, marker);
  if (leaks.length > 0) killLeaked(marker);
  return leaks;
}

async function runAll(chosen: readonly TestFile[], unmatched: string[]): Promise<RunReport> {
  const report: RunReport = { passed: 0, failed: unmatched.length, skips: [], unmatched, files: [] };
  const marker: Marker = { name: 'PLAIT_TEST_RUN', value: `${process.pid}-${Date.now()}` };
  for (const file of chosen) {
    const before = footprint();
    const result = await runFile(file.path, marker);
    const leaks = await checkLeaks(before, marker);
    if (leaks.length > 0) {
      result.failed += 1;
      result.problem = `left behind: ${leaks.join(', ')}`;
    }
    print(file, result);
    report.passed += result.passed;
    report.failed += result.failed;
    report.skips.push(...result.skips.map((skip) => `${file.name}: ${skip}`));
    const { output, ...rest } = result;
    report.files.push({ name: file.name, tier: file.tier, ...rest });
  }
  return report;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: { 'every-kernel': { type: 'boolean' }, json: { type: 'string' } },
    allowPositionals: true,
  });
  const { chosen, unmatched } = select(findFiles(), positionals);
  const wanted = values['every-kernel'] ? chosen.filter(isForEveryKernel) : chosen;
  const report = await runAll(wanted, unmatched);

  for (const skip of report.skips) console.log(`skipped  ${skip}`);
  for (const pattern of unmatched) console.log(`nothing matches "${pattern}"`);
  if (values.json) writeFileSync(values.json, JSON.stringify(report));
  console.log(`${report.passed} passed, ${report.failed} failed`);
  return report.failed > 0 || report.passed === 0 ? 1 : 0;
}

process.exitCode = await main();
