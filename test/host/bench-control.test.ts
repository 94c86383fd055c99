// `plait bench control` as a person starts it, with five agents for some seconds: what it finds is whole, what it
// started is gone.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { ControlResult } from '../../src/bench/control/result.js';
import { CLI } from '../../src/lab/programs.js';
import { waitFor } from '../../src/lab/wait.js';
import { patience } from '../../src/patience.js';

/** Of live heap per endpoint, with what does not grow with them divided among 5,000; 840 of 10,000. */
const HEAP_LIMIT_BYTES = 1300;

const control = suite('bench control');
const directory = mkdtempSync(join(tmpdir(), 'pt-bench-'));
const SMALL = '--agents 5 --networks 2 --endpoints 20 --rate 10'.split(' ');

control.after(() => rmSync(directory, { recursive: true }));

interface Running {
  readonly child: ChildProcess;
  readonly stderr: () => string;
  readonly ended: Promise<{ code: number | null; stdout: string; stderr: string }>;
}

function start(...args: string[]): Running {
  const child = spawn(process.execPath, [CLI, 'bench', 'control', ...args], {
    env: { ...process.env, TMPDIR: directory },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [stdout, stderr]: [string[], string[]] = [[], []];
  child.stdout?.on('data', (data) => stdout.push(String(data)));
  child.stderr?.on('data', (data) => stderr.push(String(data)));
  const ended = once(child, 'close').then(([code]) => ({
    code: code as number | null,
    stdout: stdout.join(''),
    stderr: stderr.join(''),
  }));
  return { child, ended, stderr: () => stderr.join('') };
}

/** Pids of processes that work in the test's directory, or were started by one of ours. */
function processesOf(directoryPart: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(directoryPart);
    } catch {
      return false; // ended meanwhile
    }
  });
}

function assertNothingIsLeft(): void {
  assert.equal(readdirSync(directory), []);
  assert.equal(processesOf(directory), []);
}

control('every endpoint became visible to every agent that must see it, and nothing is left', async () => {
  const { ended } = start(...SMALL, '--seconds', '3', '--memory-endpoints', '5000', '--json', '-');
  const { code, stdout, stderr } = await ended;
  assert.is(code, 0, stderr);
  const result = JSON.parse(stdout) as ControlResult;
  assert.is(result.attached, 30);
  assert.is(result.detached, 30);
  assert.equal([result.missing, result.wrong, result.failures], [0, 0, []]);
  assert.ok(result.visible.count >= 30 * result.audience.min);
  assert.ok(result.visible.p50 > 0 && result.visible.p50 <= result.visible.p99);
  assert.ok(result.visible.p99 < patience(2000), `${result.visible.p99} ms`);
  // Nodes, signs of life, networks, and the endpoints of two networks.
  assert.is(result.etcd.watchers, 5 * 5);
  assert.is(result.memory?.endpoints, 5000);
  const { heap = 0, residentAfter = 0 } = result.memory ?? {};
  console.log(`NOTE bytes per endpoint: heap ${heap.toFixed(0)}, resident ${residentAfter.toFixed(0)}`);
  assert.ok(heap > 100 && heap < HEAP_LIMIT_BYTES, `${heap} bytes of heap per endpoint`);
  assertNothingIsLeft();
});

control('without --json it is a table', async () => {
  const whole = await start(...SMALL, '--seconds', '1', '--memory-endpoints', '0').ended;
  assert.is(whole.code, 0, whole.stderr);
  assert.match(whole.stdout, /^5 agents on 2 networks, 20 endpoints/);
  assert.match(whole.stdout, /attach → visible in maps +\d+\.\d/);
  assertNothingIsLeft();
});

for (const [when, step] of [
  ['while agents start', 'starting 5 agents'],
  ['while endpoints come and go', 'attaching and detaching'],
] as const) {
  control(`an interrupt ${when} ends it, and nothing is left`, async () => {
    const { child, ended, stderr } = start(...SMALL, '--seconds', '60');
    await waitFor(step, () => stderr().includes(step), 30_000);
    child.kill('SIGINT');
    child.kill('SIGTERM'); // at once: `timeout` sends its signal twice
    const { code, stdout } = await ended;
    assert.is(code, 1);
    assert.is(stdout, '');
    assert.match(stderr(), /plait: run the benchmark: interrupted\n$/);
    assertNothingIsLeft();
  });
}

for (const [args, code, message] of [
  [
    ['--agents', '0'],
    2,
    /option '--agents <count>' argument '0' is invalid. Give a whole number from 1 to 1000/,
  ],
  [['--agents', 'many'], 2, /Give a whole number/],
  [
    ['--agents', '3', '--networks', '4'],
    1,
    /divide 3 agents among 4 networks: some would have none\nhint: use as/,
  ],
  [['--endpoints', '5', '--rate', '10'], 1, /let 5 endpoints come and go at 10\/s/],
  [['--agents', '2', '--networks', '1', '--processes', '3'], 1, /run 2 agents in 3 processes/],
] as const) {
  control(`refused with exit code ${code}: ${args.join(' ')}`, async () => {
    const { code: ended, stderr, stdout } = await start(...args).ended;
    assert.is(ended, code, stderr);
    assert.match(stderr, message);
    assert.is(stdout, '');
    assertNothingIsLeft();
  });
}

control('without etcd it says what is missing', async () => {
  const child = spawn(process.execPath, [CLI, 'bench', 'control'], {
    env: { ...process.env, TMPDIR: directory, PATH: '/nonexistent' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr?.on('data', (data) => {
    stderr += data;
  });
  const [code] = await once(child, 'close');
  assert.is(code, 1);
  assert.match(stderr, /plait: start etcd for the benchmark: .*ENOENT\nhint: the programs etcd and setpriv/);
  assertNothingIsLeft();
});

control.run();
