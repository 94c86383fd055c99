/** The `openssl` command, the tests' independent reader of certificates, and what most of them need of ours. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Authority, createAuthority, issue, type Subject } from '../../../src/cluster/pki/authority.js';
import { createKeyAndRequest } from '../../../src/cluster/pki/request.js';

export const CLUSTER = 'c0000000000000000000000aa';
export const OTHER_CLUSTER = 'c0000000000000000000000bb';
export const NODE = 'n0000000000000000000000aa';
export const DAY = 86_400;
export const HOUR_MS = 3_600_000;

const scratch = mkdtempSync(join(tmpdir(), 'pt-pki-'));
process.once('exit', () => rmSync(scratch, { recursive: true, force: true }));
let files = 0;

/** A file with this text, until the test's process ends. */
export function file(text: string): string {
  const path = join(scratch, `${++files}.pem`);
  writeFileSync(path, text);
  return path;
}

export interface Told {
  readonly status: number | null;
  readonly output: string;
}

/** Its exit status, and what it printed on both outputs. */
export function openssl(args: readonly string[], input?: string): Told {
  const { status, stdout, stderr, error } = spawnSync('openssl', args, { input, encoding: 'utf8' });
  if (error) throw error;
  return { status, output: `${stdout}${stderr}` };
}

/** `openssl x509 -text`, one space for any. */
export function textOf(pem: string): string {
  return openssl(['x509', '-noout', '-text'], pem).output.replaceAll(/\s+/g, ' ');
}

/** `openssl verify` of the first in the chain, the others being untrusted helpers. */
export function verify(trusted: string, chain: string, ...args: string[]): Told {
  const path = file(chain);
  return openssl(['verify', '-x509_strict', '-CAfile', file(trusted), '-untrusted', path, ...args, path]);
}

export interface Member {
  readonly key: string;
  /** The chain that it shows. */
  readonly cert: string;
}

export async function member(authority: Authority, options: Partial<Subject> = {}): Promise<Member> {
  const { key, csr } = await createKeyAndRequest();
  const subject = {
    node: NODE,
    role: 'worker',
    cluster: CLUSTER,
    expirySeconds: 90 * DAY,
    ...options,
  } as const;
  return { key, cert: await issue(authority, csr, { addresses: ['192.0.2.1'], ...subject }) };
}

export const authority = (now?: Date): Promise<Authority> =>
  createAuthority({ cluster: CLUSTER, ...(now && { now }) });

/** What it threw; fails when it threw nothing. */
export async function thrown(
  body: () => unknown,
): Promise<Error & { code?: string; hint?: string | undefined }> {
  try {
    await body();
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error('nothing was thrown');
}
