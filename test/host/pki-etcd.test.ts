// timeout: 120 s

// etcd, which is Go, with certificates of ours: two members that meet by them, clients that it takes for who they are, and
// those that it refuses.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { promisify } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Authority, createAuthority, crossSign, issue } from '../../src/cluster/pki/authority.js';
import { trustedBy } from '../../src/cluster/pki/bundle.js';
import { describeTlsFailure } from '../../src/cluster/pki/identity.js';
import { createKeyAndRequest } from '../../src/cluster/pki/request.js';
import { freePort } from '../../src/net/free-port.js';
import { until } from './etcd.js';

const test = suite('etcd with our certificates');
const run = promisify(execFile);

const CLUSTER = 'c0000000000000000000000aa';
const NODES = ['n0000000000000000000000aa', 'n0000000000000000000000bb'] as const;
const DAY = 86_400;
const dir = mkdtempSync('/dev/shm/pt-pki-');
const children: ChildProcess[] = [];

const old = await createAuthority({ cluster: CLUSTER, now: new Date(Date.now() - 30 * DAY * 1000) });
const next = await createAuthority({ cluster: CLUSTER });
const withCross = { ...next, cross: await crossSign(old, next) };

interface Files {
  readonly key: string;
  readonly cert: string;
  readonly pem: { readonly key: string; readonly cert: string };
}

let issued = 0;
async function member(authority: Authority, node: string, made = 0, expirySeconds = DAY): Promise<Files> {
  const { key, csr } = await createKeyAndRequest();
  const now = new Date(Date.now() + made * 1000);
  const subject = { node, role: 'manager', cluster: CLUSTER, expirySeconds, addresses: [], now } as const;
  const cert = await issue(authority, csr, subject);
  const name = `${++issued}`;
  return { key: write(`${name}.key`, key), cert: write(`${name}.crt`, cert), pem: { key, cert } };
}

function write(name: string, text: string): string {
  const path = join(dir, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

/** Each of the two knows its own CAs, and shows a certificate by its own: the first the old, the second the new. */
async function startEtcd(): Promise<string> {
  const ports = await Promise.all([0, 1, 2, 3].map(() => freePort()));
  const url = (port = 0): string => `https://127.0.0.1:${port}`;
  const all = NODES.map((node, index) => `${node}=${url(ports[2 + index])}`).join(',');
  const trusted = [write('ca0', old.certificate), write('ca1', trustedBy({ ...next, previous: old }))];
  const output = ['', ''];
  for (const [index, node] of NODES.entries()) {
    const own = await member(index === 0 ? old : withCross, node);
    const tls = (peer: string): string[] => [
      ...[`--${peer}cert-file`, own.cert, `--${peer}key-file`, own.key],
      ...[`--${peer}trusted-ca-file`, trusted[index] ?? '', `--${peer}client-cert-auth`],
    ];
    const [client, peer] = [url(ports[index]), url(ports[2 + index])];
    const child = spawn(
      'etcd',
      [
        ...['--name', node, '--data-dir', join(dir, node), '--unsafe-no-fsync', '--initial-cluster', all],
        ...['--listen-client-urls', client, '--advertise-client-urls', client],
        ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
        ...[...tls(''), ...tls('peer-')],
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    child.stderr.on('data', (data) => (output[index] += data));
    children.push(child);
  }
  const own = await member(old, NODES[0]);
  const isHealthy = (): Promise<boolean> =>
    ctl(url(ports[0]), own, 'endpoint', 'health').then(
      () => true,
      () => false,
    );
  await until('etcd is healthy', isHealthy, 30_000).catch((error) => {
    throw new Error(`${error}\n${output.join('\n').slice(-4000)}`);
  });
  return url(ports[0]);
}

async function ctl(url: string, own: Files, ...args: string[]): Promise<string> {
  const tls = ['--cacert', join(dir, 'ca0'), '--cert', own.cert, '--key', own.key];
  const env = { ...process.env, ETCDCTL_API: '3' };
  const command = ['--endpoints', url, '--command-timeout', '3s', '--dial-timeout', '3s', ...tls, ...args];
  return (await run('etcdctl', command, { env })).stdout.trim();
}

/** What a client of Node hears from etcd; undefined: etcd took it. */
async function heard(url: string, own: Files): Promise<string | undefined> {
  const ca = trustedBy({ ...next, previous: old });
  const socket = connect({ host: '127.0.0.1', port: Number(new URL(url).port), ca, ...own.pem });
  try {
    const error = await new Promise<Error | undefined>((resolve) => {
      socket.once('error', resolve);
      socket.once('data', () => resolve(undefined));
      socket.write('GET /health HTTP/1.1\r\nHost: etcd\r\n\r\n');
    });
    return (
      error && (describeTlsFailure(error, { peer: `etcd ${url}`, own: own.pem.cert })?.code ?? String(error))
    );
  } finally {
    socket.destroy();
  }
}

let url = '';
test.before(async () => {
  url = await startEtcd();
});
test.after(async () => {
  for (const child of children) {
    const exited = once(child, 'exit');
    if (child.kill('SIGKILL')) await exited;
  }
  rmSync(dir, { recursive: true, force: true });
});

test('two members that trust each other by the old CA and by a cross-signed certificate have a quorum', async () => {
  const own = await member(old, NODES[0]);
  assert.is((await ctl(url, own, 'put', 'a', 'b')).split('\n')[0], 'OK');
  assert.is((await ctl(url, own, 'member', 'list')).split('\n').length, 2);
});

test('the name in a certificate is the user that etcd knows', async () => {
  const own = await member(old, NODES[0]);
  const other = await member(withCross, NODES[1]);
  await ctl(url, own, 'role', 'add', 'some');
  await ctl(url, own, 'role', 'grant-permission', 'some', 'read', 'a');
  for (const [user, role] of [
    ['root', 'root'],
    [NODES[0], 'root'],
    [NODES[1], 'some'],
  ] as const) {
    await ctl(url, own, 'user', 'add', user, '--no-password');
    await ctl(url, own, 'user', 'grant-role', user, role);
  }
  await ctl(url, own, 'auth', 'enable');
  assert.is(
    await ctl(url, other, 'get', '--print-value-only', 'a'),
    'b',
    'cross-signed, and etcd knows the old CA only',
  );
  await ctl(url, other, 'put', 'a', 'c').then(
    () => assert.unreachable(),
    (error: { stderr: string }) => assert.match(error.stderr, /permission denied/),
  );
  await ctl(url, own, 'auth', 'disable');
});

const clients: { why: string; own: () => Promise<Files>; code: string | undefined }[] = [
  { why: 'a good one', own: () => member(old, NODES[0]), code: undefined },
  { why: 'one by the next CA, cross-signed', own: () => member(withCross, NODES[0]), code: undefined },
  { why: 'one that expired', own: () => member(old, NODES[0], -2 * DAY), code: 'CERTIFICATE_EXPIRED' },
  {
    why: 'one from the future',
    own: () => member(old, NODES[0], 2 * DAY),
    code: 'CERTIFICATE_NOT_YET_VALID',
  },
  // Go 1.19 says "bad certificate" of this one too; a later one that it does not know the CA.
  { why: "another cluster's", own: () => member(next, NODES[0]), code: 'CERTIFICATE_REFUSED' },
];
for (const { why, own, code } of clients)
  test(`etcd's verdict on a client: ${why}`, async () => assert.is(await heard(url, await own()), code));

test.run();
