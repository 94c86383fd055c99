// timeout: 120 s

// Real handshakes, between Node and the `openssl` command: who believes whom, and what is told when one does not.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type Server, type TLSSocket } from 'node:tls';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createAuthority, crossSign } from '../../src/cluster/pki/authority.js';
import { trustedBy } from '../../src/cluster/pki/bundle.js';
import { describeTlsFailure, identityOf } from '../../src/cluster/pki/identity.js';
import { authority, CLUSTER, DAY, file, type Member, member, NODE, OTHER_CLUSTER } from './support/pki.js';

const test = suite('handshakes');

const HOST = '127.0.0.1';
const PEER = 'manager 127.0.0.1:2377';
const ago = (seconds: number): Date => new Date(Date.now() - seconds * 1000);

const ca = await authority(ago(10 * DAY));
const next = await authority();
const withCross = { ...next, cross: await crossSign(ca, next) };
const oldWithCross = { ...ca, cross: await crossSign(next, ca) };
const foreign = await createAuthority({ cluster: OTHER_CLUSTER });

const members = {
  good: await member(ca, { role: 'manager' }),
  expired: await member(ca, { now: ago(3 * DAY), expirySeconds: DAY }),
  early: await member(ca, { now: ago(-3 * DAY) }),
  foreign: await member(foreign, { cluster: OTHER_CLUSTER }),
  next: await member(next),
  nextCross: await member(withCross),
  oldCross: await member(oldWithCross),
};
type Name = keyof typeof members;

interface Trust {
  readonly ca: string;
}

/** Sends a word and waits for one: in TLS 1.3 the server's verdict comes after the handshake. */
async function dial(port: number, options: object): Promise<Error | undefined> {
  const socket = connect({ port, host: HOST, ...options });
  try {
    return await new Promise((resolve) => {
      socket.once('error', resolve);
      socket.once('data', () => resolve(undefined));
      // As Node's HTTP client puts it.
      socket.once('close', () => resolve(Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' })));
      socket.write('hello\n');
    });
  } finally {
    socket.destroy();
  }
}

async function withNode<T>(
  options: Member & Trust & { asks?: boolean; refuses?: boolean },
  work: (port: number, seen: { socket: TLSSocket; peer: Buffer | undefined }[]) => Promise<T>,
): Promise<T> {
  const { asks = true, refuses = true, ...identity } = options;
  const seen: { socket: TLSSocket; peer: Buffer | undefined }[] = [];
  const server: Server = createServer(
    { ...identity, requestCert: asks, rejectUnauthorized: asks && refuses },
    (socket) => {
      seen.push({ socket, peer: socket.getPeerCertificate().raw });
      socket.on('error', () => {});
      socket.end('hello\n');
    },
  );
  server.on('tlsClientError', () => {});
  server.listen(0, HOST);
  await once(server, 'listening');
  try {
    return await work((server.address() as AddressInfo).port, seen);
  } finally {
    server.close();
  }
}

/** A server that sends alerts, as Node's does not. */
async function withOpenssl<T>(
  { key, cert, ca: trusted, args = [] }: Member & Trust & { args?: readonly string[] },
  work: (port: number) => Promise<T>,
): Promise<T> {
  const files = ['-key', file(key), '-cert', file(cert), '-cert_chain', file(cert), '-CAfile', file(trusted)];
  const verify = ['-Verify', '5', '-verify_return_error', ...args];
  const child: ChildProcess = spawn(
    'openssl',
    ['s_server', '-accept', `${HOST}:0`, '-rev', ...files, ...verify],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  try {
    return await work(await acceptedPort(child));
  } finally {
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }
}

function acceptedPort(child: ChildProcess): Promise<number> {
  let output = '';
  return new Promise((resolve, reject) => {
    const take = (data: Buffer): void => {
      output += data;
      const port = /ACCEPT .*:(\d+)/.exec(output)?.[1];
      if (port !== undefined) resolve(Number(port));
    };
    child.stdout?.on('data', take);
    child.stderr?.on('data', take);
    child.once('exit', () => reject(new Error(`openssl s_server: ${output}`)));
  });
}

function codeOf(error: Error | undefined, own: Member, now?: Date): string | undefined {
  if (!error) return undefined;
  return describeTlsFailure(error, { peer: PEER, own: own.cert, ...(now && { now }) })?.code;
}

const { good } = members;

/** What each believes of a server; undefined: it does. */
const servers: { why: string; name: Name; trusts: string; code: string | undefined }[] = [
  { why: 'a good one', name: 'good', trusts: ca.certificate, code: undefined },
  { why: 'one that expired', name: 'expired', trusts: ca.certificate, code: 'CERTIFICATE_EXPIRED' },
  { why: 'one from the future', name: 'early', trusts: ca.certificate, code: 'CERTIFICATE_NOT_YET_VALID' },
  { why: "another cluster's", name: 'foreign', trusts: ca.certificate, code: 'OTHER_CLUSTER_CERTIFICATE' },
  { why: "the next CA's, alone", name: 'next', trusts: ca.certificate, code: 'OTHER_CLUSTER_CERTIFICATE' },
  { why: "the next CA's, cross-signed", name: 'nextCross', trusts: ca.certificate, code: undefined },
  { why: 'the same, by who knows the next', name: 'nextCross', trusts: next.certificate, code: undefined },
  {
    why: 'the same, by who knows both',
    name: 'nextCross',
    trusts: trustedBy({ ...next, previous: ca }),
    code: undefined,
  },
  {
    why: "the old CA's, by who knows both",
    name: 'good',
    trusts: trustedBy({ ...next, previous: ca }),
    code: undefined,
  },
  { why: "the old CA's, signed by the next", name: 'oldCross', trusts: next.certificate, code: undefined },
];
for (const { why, name, trusts, code } of servers) {
  test(`a client's verdict on a server: ${why}`, async () => {
    const server = { ...members[name], ca: ca.certificate, asks: false };
    const error = await withNode(server, (port) => dial(port, { ca: trusts }));
    assert.is(codeOf(error, good), code, error?.stack);
  });
  test(`a server's verdict on a client, as OpenSSL tells it: ${why}`, async () => {
    const own = members[name];
    const error = await withOpenssl({ ...good, ca: trusts }, (port) =>
      dial(port, { ...own, ca: ca.certificate }),
    );
    assert.is(codeOf(error, own), code, error?.stack);
  });
  test(`a server's verdict on a client, as Node finds it: ${why}`, async () => {
    const own = members[name];
    const told = await withNode({ ...good, ca: trusts, refuses: false }, async (port, seen) => {
      assert.is(
        await dial(port, { ...own, ca: ca.certificate }),
        undefined,
        'the client hears nothing of it',
      );
      const [first] = seen;
      if (!first) throw new Error('the server saw nobody');
      assert.is(first.socket.authorized, code === undefined);
      if (first.socket.authorized && first.peer) assert.is(identityOf(first.peer).cluster, CLUSTER);
      return describeTlsFailure(first.socket.authorizationError, { peer: 'node', presented: first.peer });
    });
    assert.is(told?.code, code);
  });
}

test('a client without a certificate is told that it needs one', async () => {
  const error = await withOpenssl({ ...good, ca: ca.certificate }, (port) =>
    dial(port, { ca: ca.certificate }),
  );
  assert.is(describeTlsFailure(error, { peer: PEER })?.code, 'CERTIFICATE_MISSING', error?.stack);
});

test('a server at another address than its certificate says is not believed', async () => {
  const error = await withNode({ ...good, ca: ca.certificate, asks: false }, (port) =>
    dial(port, { ca: ca.certificate, servername: 'elsewhere.example' }),
  );
  const told = describeTlsFailure(error, { peer: PEER, presented: good.cert });
  assert.is(told?.code, 'CERTIFICATE_ADDRESS_MISMATCH', error?.stack);
  assert.ok(told?.message.includes(`DNS:${NODE}`), told?.message);
});

test('a server whose clock is ahead takes a good one for expired, and that is said', async () => {
  const future = String(Math.floor(Date.now() / 1000) + 100 * DAY);
  const server = { ...good, ca: ca.certificate, args: ['-attime', future] };
  const error = await withOpenssl(server, (port) => dial(port, { ...good, ca: ca.certificate }));
  const told = describeTlsFailure(error, { peer: PEER, own: good.cert });
  assert.is(told?.code, 'CERTIFICATE_EXPIRED', error?.stack);
  assert.match(told?.hint ?? '', /compare the clocks/);
});

test("Node's own server closes without a word: what is wrong by this host's clock is told all the same", async () => {
  const codes = await withNode({ ...good, ca: ca.certificate }, async (port) => {
    const verdicts: (string | undefined)[] = [];
    for (const name of ['expired', 'early', 'foreign'] as const) {
      const error = await dial(port, { ...members[name], ca: ca.certificate });
      assert.is((error as NodeJS.ErrnoException | undefined)?.code, 'ECONNRESET');
      verdicts.push(codeOf(error, members[name]));
    }
    return verdicts;
  });
  assert.equal(codes, ['CERTIFICATE_EXPIRED', 'CERTIFICATE_NOT_YET_VALID', undefined]);
});

test('the openssl client believes a server of ours, and it the client', async () => {
  await withNode({ ...good, ca: ca.certificate }, async (port, seen) => {
    const own = members.nextCross;
    const files = ['-CAfile', file(ca.certificate), '-cert', file(own.cert), '-cert_chain', file(own.cert)];
    const checks = ['-verify_return_error', '-verify_ip', HOST, '-key', file(own.key)];
    const child = spawn('openssl', ['s_client', '-connect', `${HOST}:${port}`, ...files, ...checks]);
    let output = '';
    child.stdout.on('data', (data) => (output += data));
    child.stderr.on('data', (data) => (output += data));
    await once(child, 'close');
    assert.match(output, /Verify return code: 0 \(ok\)/);
    assert.match(output, /\nhello\n/);
    assert.is(
      seen[0]?.socket.authorized,
      true,
      'cross-signed in its chain, to a server that knows the old CA only',
    );
  });
});

test('root before cross-signed in a chain: OpenSSL takes the first and believes nobody who knows the old CA only', async () => {
  const [leaf = '', cross = ''] = members.nextCross.cert.split(/(?=-----BEGIN)/);
  const verdict = (cert: string): Promise<Error | undefined> =>
    withNode({ key: members.nextCross.key, cert, ca: ca.certificate, asks: false }, (port) =>
      dial(port, { ca: ca.certificate }),
    );
  assert.is(await verdict(leaf + cross + next.certificate), undefined);
  assert.ok(await verdict(leaf + next.certificate + cross));
});

test.run();
