// Runs the test files, each in a process of its own with a timeout, and proves that they left nothing behind.
//
//   node dist/test/run.js                 everything
//   node dist/test/run.js unit packet     two tiers
//   node dist/test/run.js host/cluster    the files whose path holds this
//
// uvu exits 0 for a file that never calls `.run()` and for a pattern that matches nothing; both fail here.
// A file may state its own limit in a line `// timeout: 300 s`, and a test that cannot run on this kernel prints
// `SKIP <name>: <reason>`. The last line is `N passed, N failed`.

import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { type FileResult, runFile } from './runner/file.js';
import { describeLeaks, type Footprint, footprint, killLeaked, type Marker } from './runner/leaks.js';

const TOP = join(import.meta.dirname, '..', '..');
const TIERS: Record<string, string> = {
  unit: 'dist/test/unit',
  addon: 'addon/dist/test',
  packet: 'dist/test/packet',
  host: 'dist/test/host',
};

interface TestFile {
  tier: string;
  path: string;
  name: string;
}

function findFiles(): TestFile[] {
  return Object.entries(TIERS).flatMap(([tier, dir]) => {
    const root = join(TOP, dir);
    return listTests(root).map((path) => ({
      tier,
      path,
      name: `${tier}/${relative(root, path).replace(/\.test\.js$/, '')}`,
    }));
  });
}

function listTests(root: string): string[] {
  try {
    return readdirSync(root, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.test.js'))
      .sort()
      .map((file) => join(root, file));
  } catch {
    return [];
  }
}

function select(files: TestFile[], patterns: string[]): { chosen: TestFile[]; unmatched: string[] } {
  if (patterns.length === 0)
    return { chosen: files, unmatched: Object.keys(TIERS).filter((t) => !has(files, t)) };
  const matches = (file: TestFile, pattern: string): boolean =>
    pattern in TIERS ? file.tier === pattern : file.name.includes(pattern);
  return {
    chosen: files.filter((file) => patterns.some((pattern) => matches(file, pattern))),
    unmatched: patterns.filter((pattern) => !files.some((file) => matches(file, pattern))),
  };
}

const has = (files: TestFile[], tier: string): boolean => files.some((file) => file.tier === tier);

function report(file: TestFile, result: FileResult): void {
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

async function main(patterns: string[]): Promise<number> {
  const { chosen, unmatched } = select(findFiles(), patterns);
  let passed = 0;
  let failed = 0;
  const skips: string[] = [];

  const marker: Marker = { name: 'PLAIT_TEST_RUN', value: `${process.pid}-${Date.now()}` };
  for (const file of chosen) {
    const before = footprint();
    const result = await runFile(file.path, marker);
    const leaks = await checkLeaks(before, marker);
    if (leaks.length > 0) {
      result.failed += 1;
      result.problem = `left behind: ${leaks.join(', ')}`;
    }
    report(file, result);
    passed += result.passed;
    failed += result.failed;
    skips.push(...result.skips.map((skip) => `${file.name}: ${skip}`));
  }

  for (const skip of skips) console.log(`skipped  ${skip}`);
  for (const pattern of unmatched) console.log(`nothing matches "${pattern}"`);
  failed += unmatched.length;
  console.log(`${passed} passed, ${failed} failed`);
  return failed > 0 || passed === 0 ? 1 : 0;
}

process.exitCode = await main(process.argv.slice(2));
