// What a guest boots from: a kernel and a root disk, made of Debian packages by vagrant/box/image.sh, and further
// disks made of directories. All is cached outside the tree, in the same place where image.sh keeps its parts.

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink, utimes } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';

const TOP = join(import.meta.dirname, '..', '..', '..');
const IMAGE = join(TOP, 'vagrant', 'box', 'image.sh');
const GUEST = join(TOP, 'test', 'vm', 'guest');
const GUEST_FILES = ['plait-vm-agent', 'plait-vm-init', 'plait-vm-agent.service'];
const UNUSED_MS = 14 * 24 * 3600 * 1000;
const execute = promisify(execFile);

export interface Kernel {
  /** As `uname -r` prints it. */
  version: string;
  directory: string;
  vmlinuz: string;
  initrd: string;
}

export interface RootOptions {
  kernel: Kernel;
  packages: readonly string[];
  /** Release of Debian that the packages are of; bookworm when left out. The kernel is another matter. */
  suite?: string | undefined;
  /** Boot to systemd instead of a shell script. */
  systemd?: boolean;
  /** As truncate(1) takes it; the file is sparse. */
  size?: string;
}

export function cacheDirectory(): string {
  return process.env.PLAIT_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'plait');
}

/** The kernel of a Debian package, downloaded when it is not in the cache. */
export async function kernelOf(debianPackage: string): Promise<Kernel> {
  const directory = await image('kernel', debianPackage);
  const version = (await readFile(join(directory, 'version'), 'utf8')).trim();
  return {
    version,
    directory,
    vmlinuz: join(directory, 'vmlinuz'),
    initrd: join(directory, 'initrd.img'),
  };
}

/** A root disk (raw, sparse) with these packages, the kernel's modules and the agent that runs the host's commands. */
export async function rootDisk(options: RootOptions): Promise<string> {
  const { kernel, packages, suite, systemd = false, size = '3G' } = options;
  const flags = packages.flatMap((name) => ['--package', name]);
  if (suite !== undefined) flags.unshift('--suite', suite);
  const rootfs = await image('rootfs', ...(systemd ? ['--systemd'] : []), ...flags);
  const inputs = createHash('sha256').update([rootfs, kernel.directory, size].join('\0'));
  for (const name of GUEST_FILES) inputs.update(await readFile(join(GUEST, name)));
  const directory = join(cacheDirectory(), 'disks');
  const disk = join(directory, `${kernel.version}-${inputs.digest('hex').slice(0, 12)}.raw`);
  await mkdir(directory, { recursive: true });
  await forgetUnused(directory);
  if (await exists(disk)) {
    await utimes(disk, new Date(), new Date());
    return disk;
  }

  const overlay = await mkdtemp(join(tmpdir(), 'plait-overlay-'));
  try {
    await fillOverlay(overlay, systemd);
    const parts = ['--rootfs', rootfs, '--kernel', kernel.directory, '--overlay', overlay];
    // image.sh writes beside the target and renames: two that make the same disk at once do not disturb each other.
    await image('disk', ...parts, '--size', size, '--out', disk);
  } finally {
    await rm(overlay, { recursive: true });
  }
  return disk;
}

/** A new kernel or a changed list of packages makes a new disk, and nobody asks for the old one again. */
async function forgetUnused(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    const used = await stat(path).catch(() => undefined); // gone when it was another's unfinished one
    if (used && Date.now() - used.mtimeMs > UNUSED_MS) await rm(path, { force: true });
  }
}

async function fillOverlay(overlay: string, systemd: boolean): Promise<void> {
  const sbin = join(overlay, 'usr', 'local', 'sbin');
  await mkdir(sbin, { recursive: true });
  for (const name of ['plait-vm-agent', 'plait-vm-init']) await cp(join(GUEST, name), join(sbin, name));
  if (!systemd) return;
  const units = join(overlay, 'etc', 'systemd', 'system');
  const wanted = join(units, 'multi-user.target.wants');
  await mkdir(wanted, { recursive: true });
  await cp(join(GUEST, 'plait-vm-agent.service'), join(units, 'plait-vm-agent.service'));
  await symlink('../plait-vm-agent.service', join(wanted, 'plait-vm-agent.service'));
}

/** An ext4 disk (raw, sparse) that holds a copy of a directory, owned as its files are. */
export async function diskOf(directory: string, out: string, { spare = '64M' } = {}): Promise<string> {
  const { stdout } = await execute('du', ['-s', '--apparent-size', '-B1M', directory]);
  // ext4 needs room of its own: inode tables, and a partly used block at the end of every file.
  const size = Math.ceil(Number.parseInt(stdout, 10) * 1.3) + Number.parseInt(spare, 10);
  const part = `${out}.part`;
  await rm(part, { force: true });
  const features = ['-t', 'ext4', '-O', '^has_journal', '-E', 'assume_storage_prezeroed=1'];
  await execute('mke2fs', ['-q', '-F', ...features, '-d', directory, part, `${size}M`]);
  await rename(part, out);
  return out;
}

async function image(...args: string[]): Promise<string> {
  try {
    const { stdout } = await execute(IMAGE, args, { maxBuffer: 16 * 1024 * 1024 });
    return stdout.trim();
  } catch (error) {
    const words = String((error as { stderr?: string }).stderr ?? error).trim();
    throw new Error(`${basename(IMAGE)} ${args[0]}: ${words.split('\n').slice(-5).join(' · ')}`);
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
