// Somebody on the underlay with curl, and with whatever certificate: what a member's own client never says.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Credentials, credentialPaths } from '../../../src/cluster/credentials.js';
import type { Lab } from '../../../src/lab/lab.js';
import { pathsFor } from '../../../src/model/paths.js';

export interface Said {
  readonly status: number;
  readonly body: { readonly error?: { code: string; message: string; hint?: string } } & Record<
    string,
    unknown
  >;
}

export interface CertificateFiles {
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

/** Those of a member of the lab. */
export function filesOf(lab: Lab, node: string): CertificateFiles {
  return credentialPaths(pathsFor(lab.root(node)).state);
}

/** Files for the time of the work. */
export async function withFiles<T>(
  { ca, certificate, key }: Credentials,
  work: (files: CertificateFiles) => Promise<T>,
): Promise<T> {
  const directory = mkdtempSync('/dev/shm/pt-cert-');
  const write = (name: string, text: string): string => {
    writeFileSync(join(directory, name), text, { mode: 0o600 });
    return join(directory, name);
  };
  try {
    return await work({
      ca: write('ca.crt', ca),
      certificate: write('node.crt', certificate),
      key: write('node.key', key),
    });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** A request to a manager's port by curl; `files` make it a member's. */
export async function ask(
  lab: Lab,
  member: string,
  url: string,
  { body, files }: { body?: unknown; files?: CertificateFiles } = {},
): Promise<Said> {
  const certificate = files ? ['--cert', files.certificate, '--key', files.key] : [];
  const data =
    body === undefined ? [] : ['-H', 'content-type: application/json', '--data-binary', JSON.stringify(body)];
  const line = ['curl', '-ks', '-m', '10', '-w', '\n%{http_code}', ...certificate, ...data, url];
  const said = await lab.exec(member, line);
  const end = said.lastIndexOf('\n');
  return { status: Number(said.slice(end + 1)), body: JSON.parse(said.slice(0, end)) };
}
