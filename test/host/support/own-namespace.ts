// src/net works on the network namespace that the process is in. A test of it therefore runs a second time, inside
// a fresh namespace, and leaves the machine's own alone.

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const OUTPUT = { encoding: 'utf8', stdio: 'pipe', maxBuffer: 64 * 1024 * 1024 } as const;
const INSIDE = 'PLAIT_TEST_IN_NAMESPACE';

/** Returns in the copy that runs inside; the outer one ends here with the inner one's exit code. */
export function enterOwnNamespace(moduleUrl: string): void {
  if (process.env[INSIDE]) {
    sh('ip link set lo up');
    return;
  }
  const inside = spawnSync('unshare', ['--net', process.execPath, fileURLToPath(moduleUrl)], {
    stdio: 'inherit',
    env: { ...process.env, [INSIDE]: '1' },
  });
  process.exit(inside.status ?? 1);
}

/** Runs shell commands, which must succeed, in this namespace; returns what they print. */
export function sh(script: string): string {
  return execFileSync('sh', ['-ec', script], OUTPUT).trim();
}

/** Things to clean up, whatever becomes of the test. */
export class Scratch {
  readonly directory = mkdtempSync(join(tmpdir(), 'pt-host-'));
  readonly #namespaces: string[] = [];

  /** A new named namespace; returns its path. */
  namespace(name: string): string {
    const unique = `pt-${name}-${process.pid}`;
    sh(`ip netns add ${unique}`);
    this.#namespaces.push(unique);
    return `/run/netns/${unique}`;
  }

  clean(): void {
    for (const name of this.#namespaces) spawnSync('ip', ['netns', 'delete', name]);
    spawnSync('umount', ['-q', join(this.directory, 'bpf')]);
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Runs shell commands in another namespace. */
export function shIn(netns: string, script: string): string {
  return execFileSync('nsenter', [`--net=${netns}`, 'sh', '-ec', script], OUTPUT).trim();
}

/** The JSON that a command prints. */
export function json<T>(text: string): T {
  return JSON.parse(text) as T;
}
