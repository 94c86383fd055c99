// The disk with the product that both machines mount at /media/plait: what an installed Plait consists of, a node
// to run it, and the guest's side of the scenario. From the tree as it is built.

import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import { diskOf } from '../vm/images.js';

const TOP = join(import.meta.dirname, '..', '..', '..');
const PARTS = ['package.json', 'dist/src', 'dist/bpf', 'addon/package.json', 'addon/dist/lib'];
const NATIVE = 'addon/build/Release/bpf_ts_bindings.node';
/** `plait`, where the disk is mounted. */
const COMMAND = '#!/bin/sh\nexec /media/plait/node /media/plait/dist/src/cli.js "$@"\n';
const execute = promisify(execFile);

/** Writes the disk to `out`. Libraries are those that npm would install with the product. */
export async function productDisk(out: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'plait-product-'));
  try {
    for (const part of [...PARTS, NATIVE, ...(await libraries())]) await copy(part, directory);
    await cp(process.execPath, join(directory, 'node'));
    await cp(join(TOP, 'test/kernels/two-vms-guest.sh'), join(directory, 'guest.sh'));
    await cp(join(TOP, 'test/kernels/two-vms-xdp.mjs'), join(directory, 'xdp.mjs'));
    await cp(join(TOP, 'vagrant/compare.sh'), join(directory, 'compare.sh'));
    await mkdir(join(directory, 'bin'));
    await writeFile(join(directory, 'bin/plait'), COMMAND, { mode: 0o755 });
    await compileXdp(join(directory, 'xdp.bpf.o'));
    return await diskOf(directory, out, { spare: '16M' });
  } finally {
    await rm(directory, { recursive: true });
  }
}

async function libraries(): Promise<string[]> {
  const args = ['ls', '--omit=dev', '--all', '--parseable'];
  const { stdout } = await execute('npm', args, { cwd: TOP, maxBuffer: 1 << 24 });
  const paths = stdout.split('\n').map((path) => relative(TOP, path));
  return [...paths.filter((path) => path.startsWith('node_modules/')), 'node_modules/libbpf-ts-bindings'];
}

async function copy(part: string, directory: string): Promise<void> {
  const to = join(directory, part);
  await mkdir(join(to, '..'), { recursive: true });
  const filter = (path: string): boolean => !/\.(map|d\.[cm]?ts)$/.test(path);
  await cp(join(TOP, part), to, { recursive: true, verbatimSymlinks: true, filter });
}

/** The addon's own test program: it passes and counts. */
async function compileXdp(out: string): Promise<void> {
  const include = `/usr/include/${(await execute('gcc', ['-print-multiarch'])).stdout.trim()}`;
  const source = join(TOP, 'addon/test/bpf/basic.bpf.c');
  await execute('clang', ['-O2', '-g', '-target', 'bpf', '-I', include, '-c', source, '-o', out]);
}
