// One test file as a process: its counts are read from uvu's summary, its output is kept for the case of failure.

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { patience } from '../../src/patience.js';
import type { Marker } from './leaks.js';

const DEFAULT_TIMEOUT_S = 120;
/** After SIGTERM, so that a test's own clean-up can run. */
const GRACE_MS = 10_000;
const DRAIN_MS = 1000;

export interface FileResult {
  passed: number;
  failed: number;
  skips: string[];
  /** Lines that the test wants seen even when it passes: measurements. */
  notes: string[];
  milliseconds: number;
  output: string;
  problem?: string;
}

interface Exit {
  output: string;
  code: number | null;
  timedOut: boolean;
}

export async function runFile(path: string, marker: Marker): Promise<FileResult> {
  const started = performance.now();
  const exit = await execute(path, marker);
  return { ...judge(exit), milliseconds: performance.now() - started, output: exit.output };
}

function judge({ output, code, timedOut }: Exit): Omit<FileResult, 'milliseconds' | 'output'> {
  const count = (label: string): number => {
    const match = output.match(new RegExp(`^\\s*${label}:\\s+(\\d+)\\s*$`, 'm'));
    return Number(match?.[1] ?? 0);
  };
  // uvu writes its dots without a line break, so that what a test prints may follow them.
  const lines = (prefix: string): string[] =>
    [...output.matchAll(new RegExp(`(?:^|[•✘] |  )${prefix} (.*)$`, 'gm'))].map((match) => match[1] ?? '');

  const skips = lines('SKIP');
  const total = count('Total');
  const skippedByUvu = count('Skipped');
  // A test that prints SKIP returns early, and uvu takes that for a success.
  const passed = Math.max(0, count('Passed') - skips.length);
  // uvu's total leaves out what test.skip skipped.
  const result = { passed, failed: total - count('Passed'), skips, notes: lines('NOTE') };
  if (skippedByUvu > 0) skips.push(`${skippedByUvu} by test.skip: state a reason instead`);

  const problem = problemOf({ timedOut, total, code, failed: result.failed });
  if (!problem) return result;
  return { ...result, failed: Math.max(1, result.failed), problem };
}

function problemOf(o: {
  timedOut: boolean;
  total: number;
  code: number | null;
  failed: number;
}): string | undefined {
  if (o.timedOut) return 'timed out: a test hangs, or a handle was left open';
  if (o.total === 0) return 'ran no test: does the file call .run()?';
  if (o.code !== 0 && o.failed === 0) return `ended with exit code ${o.code}`;
  return undefined;
}

function execute(path: string, marker: Marker): Promise<Exit> {
  const child = spawn(process.execPath, ['--enable-source-maps', path], {
    detached: true, // its own process group, so that a timeout reaches what it started too
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, [marker.name]: marker.value, NO_COLOR: '1', FORCE_COLOR: '0' },
  });
  const chunks: string[] = [];
  const keep = (chunk: string): number => chunks.push(chunk);
  child.stdout.setEncoding('utf8').on('data', keep);
  child.stderr.setEncoding('utf8').on('data', keep);

  let timedOut = false;
  const signalGroup = (signal: NodeJS.Signals): void => {
    try {
      process.kill(-(child.pid ?? 0), signal);
    } catch {
      // The group has ended in the meantime.
    }
  };
  const timers: NodeJS.Timeout[] = [];
  timers.push(
    setTimeout(
      () => {
        timedOut = true;
        signalGroup('SIGTERM');
        timers.push(setTimeout(() => signalGroup('SIGKILL'), GRACE_MS));
      },
      patience(timeoutOf(path) * 1000),
    ),
  );

  return new Promise((resolve, reject) => {
    const finish = (code: number | null): void => {
      for (const timer of timers) clearTimeout(timer);
      child.stdout.destroy();
      child.stderr.destroy();
      resolve({ output: stripColour(chunks.join('')), code, timedOut });
    };
    child.on('error', reject);
    child.on('close', finish);
    // 'close' waits for the pipes, and a daemon that a test forgot holds them open; it is found as a leak.
    child.on('exit', (code) => timers.push(setTimeout(() => finish(code), DRAIN_MS)));
  });
}

function timeoutOf(path: string): number {
  const stated = readFileSync(path, 'utf8').match(/^\/\/ timeout: (\d+) s$/m);
  return stated ? Number(stated[1]) : DEFAULT_TIMEOUT_S;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: the escape character is what is looked for
const stripColour = (text: string): string => text.replace(/\x1b\[[0-9;]*m/g, '');
