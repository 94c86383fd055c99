// How a cluster begins: what `foundCluster` leaves on the host, read by openssl and stat; how it comes to a real etcd,
// whatever happens in between; and that a node's certificate is renewed without anybody seeing half of a pair.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pino from 'pino';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { credentialPaths, readCredentials, writeCredentials } from '../../src/cluster/credentials.js';
import { bringFirstRecords, keepFirstRecords, readFirstRecords } from '../../src/cluster/first-records.js';
import { type Founding, foundCluster } from '../../src/cluster/found.js';
import { membershipPath, readMembership } from '../../src/cluster/membership-file.js';
import { createAuthority, issue } from '../../src/cluster/pki/authority.js';
import { identityOf } from '../../src/cluster/pki/identity.js';
import { createKeyAndRequest } from '../../src/cluster/pki/request.js';
import { deriveSecret, isSecret } from '../../src/cluster/pki/token.js';
import { Renewal } from '../../src/cluster/renewal.js';
import { pathsFor } from '../../src/model/paths.js';
import {
  changeAuthority,
  changeSpec,
  createCluster,
  createSpec,
  deleteSpec,
  getAuthority,
  getCluster,
  getSpec,
  getToken,
  listSpecs,
  putToken,
} from '../../src/store/cluster.js';
import { CLUSTER, specKey } from '../../src/store/keys.js';
import { put } from '../../src/store/operations.js';
import { Store } from '../../src/store/store.js';
import { TestEtcd, until } from './etcd.js';
import { rejects } from './store-refusals.js';

const FOUNDING: Founding = {
  name: 'n1',
  advertiseAddress: '192.0.2.1',
  listenAddress: '127.0.0.1',
  dataPathAddress: '2001:db8::1',
  dataPathPort: 4789,
  certExpirySeconds: 90 * 86_400,
  defaultAddressPools: ['10.64.0.0/10'],
  defaultAddressPoolMaskLength: 24,
};
const log = pino({ level: 'silent' });

const found = suite('founding a cluster');
let etcd: TestEtcd;
let store: Store;
let root: string;
let state: string;

found.before(async () => {
  etcd = await TestEtcd.start();
  store = new Store({ endpoints: [etcd.url] });
});
found.after(async () => {
  store?.close();
  await etcd?.destroy();
});
found.before.each(() => {
  root = mkdtempSync('/tmp/pt-found-');
  state = pathsFor(root).state;
});
found.after.each(() => {
  rmSync(root, { recursive: true, force: true });
  etcd.ctl('del', '--prefix', '/plait/');
});

function files(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' }).map((name) => join(directory, name));
}

async function made(): Promise<{
  node: string;
  first: NonNullable<Awaited<ReturnType<typeof readFirstRecords>>>;
}> {
  const node = await foundCluster(pathsFor(root), FOUNDING);
  const first = await readFirstRecords(state);
  if (first === undefined) throw new Error('no first records');
  return { node, first };
}

found('all that it writes is readable by root alone', async () => {
  await made();
  const open = files(root).filter(
    (path) => (statSync(path).mode & 0o077) !== 0 && path !== join(root, 'lib'),
  );
  assert.equal(open, []);
  assert.is(statSync(state).mode & 0o777, 0o700);
});

found('openssl verifies the certificate of the node, for client and server, with its key', async () => {
  const { node, first } = await made();
  const { ca, certificate, key } = credentialPaths(state);
  for (const purpose of ['sslclient', 'sslserver']) {
    const line = [
      'verify',
      '-x509_strict',
      '-purpose',
      purpose,
      '-verify_ip',
      '192.0.2.1',
      '-CAfile',
      ca,
      certificate,
    ];
    assert.match(execFileSync('openssl', line, { encoding: 'utf8' }), /OK/);
  }
  const subject = execFileSync('openssl', ['x509', '-in', certificate, '-noout', '-subject'], {
    encoding: 'utf8',
  });
  assert.ok(
    subject.includes(node) && subject.includes('plait:manager') && subject.includes(first.cluster.id),
  );
  const publicOf = (...line: string[]) => execFileSync('openssl', line, { encoding: 'utf8' });
  assert.is(
    publicOf('x509', '-in', certificate, '-noout', '-pubkey'),
    publicOf('pkey', '-in', key, '-pubout'),
  );
});

found('the host is a member then, and is not made one again', async () => {
  const { node } = await made();
  const before = files(state).map((path) => [path, statSync(path).mtimeMs]);
  const membership = await readMembership(state);
  assert.is(membership?.role, 'manager');
  assert.equal(membership?.managers, [{ node, api: '192.0.2.1:2377' }]);
  assert.is(membership?.firstStart?.initialCluster, `${node}=https://192.0.2.1:2380`);
  await rejects(
    foundCluster(pathsFor(root), FOUNDING),
    'ALREADY_MEMBER',
    /^make cluster: this host is a member/,
  );
  assert.equal(
    files(state).map((path) => [path, statSync(path).mtimeMs]),
    before,
  );
});

found('an address of IPv6 stands in brackets where others reach it', async () => {
  await foundCluster(pathsFor(root), { ...FOUNDING, advertiseAddress: '2001:db8::7' });
  const membership = await readMembership(state);
  assert.is(membership?.managers[0]?.api, '[2001:db8::7]:2377');
});

found('a membership that nobody of us wrote is told, not guessed at', async () => {
  await made();
  writeFileSync(membershipPath(state), '{"version":2}');
  await rejects(readMembership(state), 'BAD_MEMBERSHIP', /cluster\.json: not what/);
  writeFileSync(membershipPath(state), '{');
  await rejects(readMembership(state), 'BAD_MEMBERSHIP', /cluster\.json: not what/);
});

found('the first records come to etcd, once, and the file goes', async () => {
  const { node, first } = await made();
  await bringFirstRecords(store, state, first, log);
  assert.is(await readFirstRecords(state), undefined);
  assert.equal(await getCluster(store), first.cluster);
  assert.equal(await getSpec(store, node), first.spec);
  const { key } = await getAuthority(store);
  for (const role of ['worker', 'manager'] as const) {
    const { nonce, hash } = await getToken(store, role);
    assert.ok(isSecret(hash, deriveSecret(key, role, nonce)), role);
    assert.not.ok(isSecret(hash, deriveSecret(key, role === 'worker' ? 'manager' : 'worker', nonce)));
  }
});

found('interrupted between etcd and the file, it is finished by the repetition', async () => {
  const { first } = await made();
  await createCluster(store, first);
  assert.equal(await readFirstRecords(state), first);
  await bringFirstRecords(store, state, first, log);
  assert.is(await readFirstRecords(state), undefined);
});

found('an etcd that holds another cluster is refused, and nothing there is changed', async () => {
  const { first } = await made();
  const other = { ...first.cluster, id: 'o'.repeat(25) };
  await store.txn([], [put(CLUSTER, JSON.stringify(other))]);
  await rejects(
    bringFirstRecords(store, state, first, log),
    'OTHER_CLUSTER',
    /^make cluster: etcd at .* holds one already/,
  );
  assert.equal(await getCluster(store), other);
  assert.is((await listSpecs(store)).size, 0);
  assert.equal(await readFirstRecords(state), first);
});

found('first records that somebody spoilt are refused', async () => {
  const { first } = await made();
  await keepFirstRecords(state, { ...first, node: '../x' });
  await rejects(readFirstRecords(state), 'BAD_FIRST_RECORDS', /first-records\.json: not what/);
});

found('what managers say of a node is changed by one at a time, and none is lost', async () => {
  const { node, first } = await made();
  await bringFirstRecords(store, state, first, log);
  await Promise.all(
    Array.from({ length: 8 }, (_, at) =>
      changeSpec(store, node, (spec) => ({ ...spec, labels: { ...spec.labels, [`l${at}`]: 'x' } })),
    ),
  );
  assert.is(Object.keys((await getSpec(store, node))?.labels ?? {}).length, 8);
  assert.is(await createSpec(store, node, first.spec), false, 'a member stays what it is');
  await deleteSpec(store, node);
  await rejects(
    changeSpec(store, node, (spec) => spec),
    'NOT_FOUND',
    /^find record/,
  );
});

found('a record that makes no sense is told by its key', async () => {
  const { node, first } = await made();
  await bringFirstRecords(store, state, first, log);
  await store.txn([], [put(specKey(node), '{"role":"king"}')]);
  await rejects(getSpec(store, node), 'BAD_RECORD', /specs\/.*role/);
  assert.is((await listSpecs(store)).size, 0);
});

found('a rotated token and a changed authority replace what was there', async () => {
  const { first } = await made();
  await bringFirstRecords(store, state, first, log);
  const token = { ...first.tokens.worker, nonce: 'n'.repeat(25) };
  await putToken(store, 'worker', token);
  assert.equal(await getToken(store, 'worker'), token);
  const next = await createAuthority({ cluster: first.cluster.id });
  await changeAuthority(store, (before) => ({
    ...next,
    previous: { certificate: before.certificate, key: before.key },
  }));
  const now = await getAuthority(store);
  assert.is(now.certificate, next.certificate);
  assert.is(now.previous?.certificate, first.authority.certificate);
});

found(
  'credentials are replaced together: a reader never finds a certificate beside another key',
  async () => {
    const { node, first } = await made();
    const subject = {
      node,
      role: 'manager',
      cluster: first.cluster.id,
      expirySeconds: 3600,
      addresses: ['192.0.2.1'],
    } as const;
    let isWriting = true;
    const writing = (async () => {
      for (let round = 0; round < 5; round++) {
        const { key, csr } = await createKeyAndRequest();
        const certificate = await issue(first.authority, csr, subject);
        await writeCredentials(state, { ca: first.authority.certificate, certificate, key });
      }
      isWriting = false;
    })();
    let looks = 0;
    while (isWriting) {
      // As etcd does: one file after the other, through the link.
      const directory = execFileSync('readlink', ['-f', join(state, 'tls', 'current')], {
        encoding: 'utf8',
      }).trim();
      const [pub, priv] = ['node.crt', 'node.key'].map((file) => readFileSync(join(directory, file), 'utf8'));
      const ofCertificate = execFileSync('openssl', ['x509', '-noout', '-pubkey'], {
        input: pub,
        encoding: 'utf8',
      });
      assert.is(
        execFileSync('openssl', ['pkey', '-pubout'], { input: priv, encoding: 'utf8' }),
        ofCertificate,
      );
      looks += 1;
      await sleep(1);
    }
    await writing;
    assert.ok(looks > 0);
    assert.is(
      readdirSync(join(state, 'tls')).length,
      3,
      'the link, what it leads to, and what it led to before',
    );
  },
);

found('a certificate is renewed in the middle of its life, and again after a failure', async () => {
  const { node, first } = await made();
  const short = { node, role: 'manager', cluster: first.cluster.id, addresses: [] } as const;
  const sign = (csr: string, expirySeconds: number) =>
    issue(first.authority, csr, { ...short, expirySeconds });
  const { key, csr } = await createKeyAndRequest();
  const ca = first.authority.certificate;
  const credentials = { ca, certificate: await sign(csr, 4), key };
  await writeCredentials(state, credentials);
  const notices = new Map<string, string>();
  let asked = 0;
  const renewal = new Renewal({
    state,
    credentials,
    notices,
    log,
    onRenewed: () => undefined,
    issue: async (request) => {
      asked += 1;
      if (asked === 1) throw new Error('no manager answers');
      return { ca, certificate: await sign(request, 3600) };
    },
  });
  try {
    await until('the failure is told', () => notices.has('certificate'), 10_000);
    assert.match(notices.get('certificate') ?? '', /not renewed: no manager answers/);
    await until(
      'there is a new one',
      () => renewal.credentials !== credentials && !notices.has('certificate'),
      20_000,
    );
    assert.equal(await readCredentials(state), renewal.credentials);
    assert.ok(identityOf(renewal.credentials.certificate).notAfter.getTime() > Date.now() + 3_000_000);
    assert.is.not(renewal.credentials.key, key, 'with a new key');
  } finally {
    await renewal.close();
  }
});

found.run();
