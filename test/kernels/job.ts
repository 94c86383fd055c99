// The disk that brings the tree's build into a guest: read-only below /media/job, the same for all kernels. The guest
// has no compiler and no npm; what tests compile was compiled here.

import { execFile } from 'node:child_process';
import { cp, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { diskOf } from '../vm/images.js';

const TOP = join(import.meta.dirname, '..', '..', '..');
const execute = promisify(execFile);

/** As the tree has them. */
const FILES = [
  ...[
    'package.json',
    'dist/bpf/plait.bpf.o',
    'dist/bpf/names.bpf.o',
    'dist/src',
    'dist/test',
    'test/host',
    'test/packet',
  ],
  ...['dist/bpf/calibration.o', 'test/programs'],
  ...['addon/package.json', 'addon/README.md', 'addon/dist', 'addon/test', 'addon/build/Release'],
];
/** Big, and of use to nobody who does not build. */
const BUILD_MODULES = ['.bin', '@biomejs', '@types', '@typescript', 'typescript'];

/** Makes the disk in a directory; returns its path. */
export async function jobDisk(directory: string): Promise<string> {
  const root = join(directory, 'job');
  await mkdir(join(root, 'bin'), { recursive: true });
  await mkdir(join(root, 'objects'));
  await cp(process.execPath, join(root, 'bin', 'node'));
  for (const file of FILES) await copy(file, root);
  for (const name of await readdir(join(TOP, 'node_modules')))
    if (!BUILD_MODULES.includes(name)) await copy(join('node_modules', name), root);
  const precompile = join(TOP, 'addon', 'dist', 'test', 'precompile.js');
  await execute(process.execPath, [precompile, join(root, 'objects')]);
  const disk = await diskOf(root, join(directory, 'job.raw'));
  await rm(root, { recursive: true });
  return disk;
}

const copy = (file: string, root: string): Promise<void> =>
  cp(join(TOP, file), join(root, 'tree', file), { recursive: true, verbatimSymlinks: true });
