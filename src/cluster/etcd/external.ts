/*
 * An etcd that somebody else runs, for a cluster whose managers run none (`init --external-etcd`). Who may write there rules the
 * cluster, so managers alone know how: it is in `external-etcd.json` (mode 0600) on each of them, and in etcd under
 * secrets/, from where a worker that becomes a manager gets it.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { InvalidInput, PlaitError, StoreUnavailable } from '../../model/errors.js';
import { readJson, writeFileAtomically } from '../../state/files.js';
import { getCluster } from '../../store/cluster.js';
import { type Connection, Store } from '../../store/store.js';
import { type ExternalEtcd, externalEtcdSchema } from '../records.js';

const FILE = 'external-etcd.json';

export async function keepExternalEtcd(state: string, external: ExternalEtcd): Promise<void> {
  await writeFileAtomically(join(state, FILE), `${JSON.stringify(external)}\n`, { durable: true });
}

/** Undefined where managers run etcd themselves, and on workers. */
export async function readExternalEtcd(state: string): Promise<ExternalEtcd | undefined> {
  const kept = await readJson(join(state, FILE)).catch(() => null);
  if (kept === undefined) return undefined;
  const parsed = externalEtcdSchema.safeParse(kept);
  if (parsed.success) return parsed.data;
  throw new PlaitError('BAD_EXTERNAL_ETCD', `read ${join(state, FILE)}: not what \`plait init\` wrote`, {
    hint: 'restore the file from another manager; or `plait leave --force` and join again',
  });
}

export async function forgetExternalEtcd(state: string): Promise<void> {
  await rm(join(state, FILE), { force: true });
}

export function connectionTo({ endpoints, tls }: ExternalEtcd): Connection {
  if (tls === undefined) return { endpoints };
  const { ca, certificate, key } = tls;
  return {
    endpoints,
    tls: {
      ca: Buffer.from(ca),
      ...(certificate === undefined ? {} : { cert: Buffer.from(certificate) }),
      ...(key === undefined ? {} : { key: Buffer.from(key) }),
    },
  };
}

/**
 * Before a cluster is made there. Throws InvalidInput for what cannot be safe or cannot work, StoreUnavailable when it does
 * not answer, OTHER_CLUSTER.
 */
export async function checkExternalEtcd(external: ExternalEtcd): Promise<void> {
  checkUrls(external);
  checkPair(external);
  const store = new Store(connectionTo(external));
  try {
    const there = await getCluster(store);
    if (there === undefined) return;
    throw new PlaitError(
      'OTHER_CLUSTER',
      `make cluster: etcd at ${store.where} holds one already, ${there.id}`,
      {
        hint: 'use `plait join` to get into it; if nobody is in it any more: `etcdctl del --prefix /plait/`',
      },
    );
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error;
    throw new PlaitError('EXTERNAL_ETCD', `make cluster: ${error.message}`, {
      hint: 'see that --external-etcd names it, and that --etcd-ca, --etcd-cert and --etcd-key are those that it wants',
      cause: error,
    });
  } finally {
    store.close();
  }
}

/** Whoever reads along without TLS has the key of the certificate authority. */
function checkUrls({ endpoints, tls }: ExternalEtcd): void {
  for (const url of endpoints) {
    if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
      throw new InvalidInput(`use etcd ${url}: not https://HOST:PORT`);
    }
    const { protocol } = new URL(url);
    if (protocol === 'https:' && tls === undefined) {
      throw new InvalidInput(`use etcd ${url}: whom to trust there is not said`, 'give --etcd-ca FILE');
    }
    if (protocol === 'http:' && !isLoopback(url)) {
      throw new InvalidInput(
        `use etcd ${url}: without TLS everybody on the way reads the cluster's secrets`,
        'use https:// with --etcd-ca; http:// is for one on this host, and then for no second manager',
      );
    }
  }
}

export function isLoopback(url: string): boolean {
  return /^(127\.[0-9.]+|\[::1\]|localhost)$/.test(new URL(url).hostname);
}

function checkPair({ tls }: ExternalEtcd): void {
  if (tls === undefined) return;
  const { ca, certificate, key } = tls;
  parsed('--etcd-ca', () => new X509Certificate(ca));
  if ((certificate === undefined) !== (key === undefined)) {
    throw new InvalidInput(
      'use etcd: a certificate and its key go together',
      'give both --etcd-cert and --etcd-key',
    );
  }
  if (certificate === undefined || key === undefined) return;
  const own = parsed('--etcd-cert', () => new X509Certificate(certificate));
  const secret = parsed('--etcd-key', () => createPrivateKey(key));
  if (!own.checkPrivateKey(secret)) {
    throw new InvalidInput('use etcd: the key of --etcd-key is not that of the certificate of --etcd-cert');
  }
}

function parsed<T>(option: string, read: () => T): T {
  try {
    return read();
  } catch {
    throw new InvalidInput(`use the file of ${option}: no PEM of that kind is in it`);
  }
}
