/* The file system for pins. */
import { mkdir, readdir, rmdir, statfs } from 'node:fs/promises';
import { run } from './run.js';

const BPFFS_MAGIC = 0xcafe4a11;

/** Makes the directory, and mounts a bpffs on it unless it lies on one. */
export async function ensureBpffs(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  if (await isBpffs(directory)) return;
  await run('mount', ['-t', 'bpf', '-o', 'mode=0700', 'bpf', directory], {
    doing: `mount bpffs on ${directory}`,
  });
}

/** Removes the directory, which must be empty, and the mount if it is one. Missing is fine. */
export async function removeBpffs(directory: string): Promise<void> {
  if (await isMountPoint(directory)) {
    await run('umount', [directory], { doing: `unmount bpffs from ${directory}` });
  }
  const left = await readdir(directory).catch(() => undefined);
  if (left?.length === 0) await rmdir(directory);
}

export async function isBpffs(directory: string): Promise<boolean> {
  const found = await statfs(directory).catch(() => undefined);
  return found !== undefined && found.type >>> 0 === BPFFS_MAGIC;
}

async function isMountPoint(directory: string): Promise<boolean> {
  return run('mountpoint', ['-q', directory], { doing: `look at ${directory}` }).then(
    () => true,
    () => false,
  );
}
