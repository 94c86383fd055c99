/* What the steps of packing share. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

export const TOP = join(import.meta.dirname, '..', '..', '..');
export const OUT = join(TOP, 'dist', 'package');

/** Runs a program to its end and returns what it printed; its complaints are shown when it fails. */
export function perform(
  command: string,
  args: readonly string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): string {
  try {
    return execFileSync(command, args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      maxBuffer: 64 << 20,
      ...options,
      env: { ...process.env, ...options.env },
    });
  } catch (error) {
    const { stdout, stderr, message, code } = error as Error & {
      stdout?: string;
      stderr?: string;
      code?: string;
    };
    if (code === 'ENOENT')
      throw new Error(`pack: ${command} is not installed (vagrant/provision.sh installs it)`);
    throw new Error(`pack: ${message}\n${stdout ?? ''}${stderr ?? ''}`);
  }
}
