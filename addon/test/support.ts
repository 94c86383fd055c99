// What the tests share: a compiler, a bpffs of their own, network namespaces, and oracles (bpftool, ip, tc).
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { BpfError } from '../lib/index.js';

const packageRoot = fileURLToPath(new URL('../../', import.meta.url));
export const sources = join(packageRoot, 'test', 'bpf');

/** The first block of code in a language that the README shows. */
export function readmeBlock(language: string): string {
  const readme = readFileSync(join(packageRoot, 'README.md'), 'utf8');
  const code = readme.split(`\`\`\`${language}\n`)[1]?.split('```')[0];
  if (!code) throw new Error(`the README has no ${language} block`);
  return code;
}

/** Runs a command and returns what it wrote to stdout; its stderr is in the error. */
export function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** A line of words, for commands without arguments that contain blanks. */
export function sh(line: string): string {
  const [command = '', ...args] = line.split(' ');
  return run(command, ...args);
}

/** Things to undo at the end of a file, last in, first out. */
export class Cleanup {
  readonly #steps: (() => void)[] = [];

  add(step: () => void): void {
    this.#steps.push(step);
  }

  run(): void {
    for (const step of this.#steps.splice(0).reverse()) step();
  }
}

export function temporaryDirectory(cleanup: Cleanup): string {
  const path = mkdtempSync(join(tmpdir(), 'pt-addon-'));
  cleanup.add(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Where compiled objects wait, by the hash of their source, for machines without a compiler (precompile.ts). */
const READY_OBJECTS = process.env.PLAIT_TEST_OBJECTS;

export const readyName = (source: string, types: boolean): string =>
  `${createHash('sha256').update(readFileSync(source)).digest('hex')}${types ? '' : '-without-types'}.o`;

export function compileFile(source: string, output: string, { types = true } = {}): void {
  const ready = READY_OBJECTS && join(READY_OBJECTS, readyName(source, types));
  if (ready && existsSync(ready)) {
    copyFileSync(ready, output);
    return;
  }
  const includes = `/usr/include/${run('gcc', '-print-multiarch').trim()}`;
  const flags = ['-O2', ...(types ? ['-g'] : []), '-Wall', '-Werror', '-target', 'bpf', '-I', includes];
  run('clang', ...flags, '-c', source, '-o', output);
}

/** Compiles test/bpf/NAME.bpf.c. */
export function compile(cleanup: Cleanup, name: string, options: { types?: boolean } = {}): string {
  const output = join(temporaryDirectory(cleanup), `${name}.bpf.o`);
  compileFile(join(sources, `${name}.bpf.c`), output, options);
  return output;
}

/** A bpffs that only this process's files are in. */
export function mountBpffs(cleanup: Cleanup): string {
  const path = temporaryDirectory(cleanup);
  run('mount', '-t', 'bpf', 'bpf', path);
  cleanup.add(() => run('umount', path));
  return path;
}

let namespaces = 0;

export interface Namespace {
  name: string;
  path: string;
}

export function makeNamespace(cleanup: Cleanup): Namespace {
  const name = `pt-addon-${process.pid}-${namespaces++}`;
  run('ip', 'netns', 'add', name);
  cleanup.add(() => run('ip', 'netns', 'del', name));
  return { name, path: `/run/netns/${name}` };
}

/** Two namespaces joined by a veth pair "v0" (10.99.0.1) and "v0" (10.99.0.2), both up. */
export function makeVethPair(cleanup: Cleanup): [Namespace, Namespace] {
  const [a, b] = [makeNamespace(cleanup), makeNamespace(cleanup)];
  sh(`ip -n ${a.name} link add v0 type veth peer name v0 netns ${b.name}`);
  for (const [i, { name }] of [a, b].entries()) {
    sh(`ip -n ${name} addr add 10.99.0.${i + 1}/24 dev v0`);
    sh(`ip -n ${name} link set lo up`);
    sh(`ip -n ${name} link set v0 up`);
  }
  return [a, b];
}

/** nsenter rather than ip netns exec, which would hide bpffs behind another mount namespace. */
export function inNamespace(namespace: Namespace, command: string): string {
  return sh(`nsenter --net=${namespace.path} ${command}`);
}

export function bpftool(...args: string[]): unknown {
  return JSON.parse(run('bpftool', '-j', ...args));
}

/** Asserts that `action` throws a BpfError with this code and returns it. */
export function failsWith(code: string, action: () => unknown): BpfError {
  try {
    action();
  } catch (error) {
    return expectBpfError(error, code);
  }
  throw new Error(`expected ${code}, nothing was thrown`);
}

export async function rejectsWith(code: string, action: () => Promise<unknown>): Promise<BpfError> {
  try {
    await action();
  } catch (error) {
    return expectBpfError(error, code);
  }
  throw new Error(`expected ${code}, nothing was thrown`);
}

function expectBpfError(error: unknown, code: string): BpfError {
  if (!(error instanceof BpfError)) throw error;
  assert.is(error.code, code, error.message);
  return error;
}

/** A limit in the time of this machine, which may be an emulated one. */
export const patience = (ms: number): number => ms * Number(process.env.PLAIT_TEST_TIME_FACTOR || 1);

/** Waits for a condition instead of a time. */
export async function until(what: string, condition: () => boolean, timeoutMs = 5000): Promise<void> {
  const deadline = Date.now() + patience(timeoutMs);
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
