/*
 * The certificates of this node, in tls/ below the state directory, mode 0600 in a directory of mode 0700: `ca.crt` (who is
 * trusted, more than one while the CA is being changed), `node.crt` (with the cross-signed CA behind it, if there is
 * one), `node.key`. They are replaced together, by a link to a new directory: etcd reads them at each handshake, and a
 * certificate beside another's key would refuse everybody until somebody looks.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, readlink, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { makePrivateDirectory, writeFileAtomically } from '../state/files.js';
import type { StoreTls } from '../store/store.js';
import { MANAGER_NAME } from './pki/records.js';

export interface Credentials {
  /** PEM, one or more. */
  readonly ca: string;
  /** PEM: the node's, then what leads to the CA. */
  readonly certificate: string;
  /** PEM, PKCS #8. */
  readonly key: string;
}

export interface CredentialPaths {
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

const CURRENT = 'current';

export function credentialPaths(state: string): CredentialPaths {
  const directory = join(state, 'tls', CURRENT);
  return {
    ca: join(directory, 'ca.crt'),
    certificate: join(directory, 'node.crt'),
    key: join(directory, 'node.key'),
  };
}

/** Undefined where there are none. */
export async function readCredentials(state: string): Promise<Credentials | undefined> {
  const { ca, certificate, key } = credentialPaths(state);
  try {
    const [caText, certificateText, keyText] = await Promise.all(
      [ca, certificate, key].map((path) => readFile(path, 'utf8')),
    );
    return { ca: caText ?? '', certificate: certificateText ?? '', key: keyText ?? '' };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** All three at once: a reader sees the old ones or the new ones. */
export async function writeCredentials(state: string, credentials: Credentials): Promise<void> {
  const root = join(state, 'tls');
  const name = randomBytes(6).toString('hex');
  await makePrivateDirectory(root);
  await mkdir(join(root, name), { mode: 0o700 });
  const write = (file: string, text: string) =>
    writeFileAtomically(join(root, name, file), text, { durable: true });
  await write('ca.crt', credentials.ca);
  await write('node.crt', credentials.certificate);
  await write('node.key', credentials.key);
  const before = await readlink(join(root, CURRENT)).catch(() => undefined);
  await rm(join(root, `${CURRENT}.new`), { force: true });
  await symlink(name, join(root, `${CURRENT}.new`));
  await rename(join(root, `${CURRENT}.new`), join(root, CURRENT));
  // Who followed the old link a moment ago still finds what it led to.
  const kept = new Set([name, before, CURRENT]);
  for (const file of await readdir(root)) {
    if (!kept.has(file)) await rm(join(root, file), { recursive: true, force: true });
  }
}

/** As a client of etcd on a manager's loopback, or of a manager's guard, shows them; the other side must be a manager. */
export function storeTls({ ca, certificate, key }: Credentials): StoreTls {
  return {
    ca: Buffer.from(ca),
    cert: Buffer.from(certificate),
    key: Buffer.from(key),
    serverName: MANAGER_NAME,
  };
}
