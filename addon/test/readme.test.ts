// kernels: one
// The README's quick start, as a stranger would run it.
import { spawn } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  Cleanup,
  compileFile,
  inNamespace,
  makeNamespace,
  readmeBlock,
  temporaryDirectory,
} from './support.js';

const cleanup = new Cleanup();
const test = suite('readme');
test.after(() => cleanup.run());

const packageRoot = fileURLToPath(new URL('../..', import.meta.url));

test('the quick start counts packets and reports big ones', async () => {
  const directory = temporaryDirectory(cleanup);
  const namespace = makeNamespace(cleanup);
  inNamespace(namespace, 'ip link set lo up');
  mkdirSync(join(directory, 'node_modules'));
  symlinkSync(packageRoot, join(directory, 'node_modules', 'libbpf-ts-bindings'));
  writeFileSync(join(directory, 'counter.bpf.c'), readmeBlock('c'));
  writeFileSync(join(directory, 'counter.mjs'), readmeBlock('js'));
  compileFile(join(directory, 'counter.bpf.c'), join(directory, 'counter.bpf.o'));

  const command = [`--net=${namespace.path}`, process.execPath, 'counter.mjs'];
  const child = spawn('nsenter', command, { cwd: directory, stdio: ['ignore', 'pipe', 'inherit'] });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  const output = () => Buffer.concat(chunks).toString();
  const exited = new Promise((resolve) => child.once('close', resolve));
  while (child.exitCode === null && !output().includes('big')) {
    inNamespace(namespace, 'ping -q -c 1 -s 200 127.0.0.1');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.is(await exited, 0);
  assert.match(output(), /big \{ len: 242, protocol: 2048 \}/);
  assert.match(output(), /0x800: [1-9]\d* packets/);
});

test.run();
