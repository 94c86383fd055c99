import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Authority, createAuthority, crossSign, issue } from '../../src/cluster/pki/authority.js';
import { splitBundle } from '../../src/cluster/pki/bundle.js';
import { createKeyAndRequest } from '../../src/cluster/pki/request.js';
import {
  authority,
  CLUSTER,
  DAY,
  file,
  HOUR_MS,
  member,
  NODE,
  openssl,
  textOf,
  thrown,
  verify,
} from './support/pki.js';

const test = suite('certificates, read by openssl');

const NOW = new Date('2026-03-01T12:00:00.789Z');

function identifier(text: string, which: 'Subject' | 'Authority'): string {
  return new RegExp(`X509v3 ${which} Key Identifier: (?:keyid:)?([0-9A-F:]+)`).exec(text)?.[1] ?? 'none';
}

test('an authority is a CA of its name for twenty years', async () => {
  const { certificate, key } = await authority(NOW);
  const text = textOf(certificate);
  const expected = [
    'Version: 3 (0x2)',
    'Signature Algorithm: ecdsa-with-SHA256',
    `Issuer: CN = plait cluster ${CLUSTER}`,
    'Not Before: Mar 1 11:00:00 2026 GMT Not After : Mar 1 12:00:00 2046 GMT',
    `Subject: CN = plait cluster ${CLUSTER}`,
    'NIST CURVE: P-256',
    'X509v3 Basic Constraints: critical CA:TRUE X509v3',
    'X509v3 Key Usage: critical Certificate Sign, CRL Sign X509v3',
  ];
  for (const line of expected) assert.ok(text.includes(line), `${line}\n${text}`);
  assert.match(identifier(text, 'Subject'), /^([0-9A-F]{2}:){19}[0-9A-F]{2}$/);
  assert.is(identifier(text, 'Authority'), identifier(text, 'Subject'));
  assert.match(key, /^-----BEGIN PRIVATE KEY-----/);
  const publicKey = openssl(['pkey', '-pubout'], key).output;
  assert.is(openssl(['x509', '-noout', '-pubkey'], certificate).output, publicKey);
  assert.match(
    verify(certificate, certificate, '-attime', String(Math.floor(NOW.getTime() / 1000))).output,
    /: OK/,
  );
});

test('one that ends after 2049 is dated as DER wants it', async () => {
  const { certificate } = await authority(new Date('2035-03-01T12:00:00.789Z'));
  assert.ok(textOf(certificate).includes('Not After : Mar 1 12:00:00 2055 GMT'));
  const times = openssl(['asn1parse'], certificate).output.match(/(UTC|GENERALIZED)TIME +:\w+/g);
  assert.equal(times, ['UTCTIME           :350301110000Z', 'GENERALIZEDTIME   :20550301120000Z']);
});

test('a node certificate says who, what and where, for client and server', async () => {
  const ca = await authority(NOW);
  const addresses = ['192.0.2.1', '2001:db8::0:1', '192.0.2.1', '127.0.0.1'];
  const { cert, key } = await member(ca, { role: 'manager', addresses, now: NOW, expirySeconds: 120 });
  const text = textOf(cert);
  const names = `DNS:${NODE}, DNS:localhost, DNS:manager.plait.internal, IP Address:192.0.2.1, IP Address:2001:DB8:0:0:0:0:0:1, IP Address:127.0.0.1`;
  const expected = [
    `Issuer: CN = plait cluster ${CLUSTER}`,
    `Subject: CN = ${NODE}, O = plait:manager, OU = ${CLUSTER}`,
    'Not Before: Mar 1 11:00:00 2026 GMT Not After : Mar 1 12:02:00 2026 GMT',
    'X509v3 Basic Constraints: critical CA:FALSE X509v3',
    'X509v3 Key Usage: critical Digital Signature X509v3',
    'X509v3 Extended Key Usage: TLS Web Client Authentication, TLS Web Server Authentication X509v3',
    `X509v3 Subject Alternative Name: ${names}, IP Address:0:0:0:0:0:0:0:1 `,
  ];
  for (const line of expected) assert.ok(text.includes(line), `${line}\n${text}`);
  assert.is(identifier(text, 'Authority'), identifier(textOf(ca.certificate), 'Subject'));
  assert.is(
    openssl(['x509', '-noout', '-pubkey'], cert).output,
    openssl(['pkey', '-pubout'], key).output,
    'the key is that of the request',
  );
  const at = ['-attime', String(Math.floor(NOW.getTime() / 1000))];
  for (const purpose of ['sslclient', 'sslserver'])
    for (const name of [
      ['-verify_ip', '192.0.2.1'],
      ['-verify_ip', '2001:db8::1'],
      ['-verify_hostname', NODE],
      ['-verify_hostname', 'localhost'],
    ])
      assert.match(verify(ca.certificate, cert, ...at, '-purpose', purpose, ...name).output, /: OK/);
  assert.match(verify(ca.certificate, cert, ...at, '-verify_ip', '192.0.2.2').output, /IP address mismatch/);
});

test('serial numbers are 128 random bits, whatever the first of them are', async () => {
  const ca = await authority();
  const serials = new Set<string>();
  for (let i = 0; i < 12; i++) {
    const { cert } = await member(ca);
    const serial = /serial=([0-9A-F]+)/.exec(openssl(['x509', '-noout', '-serial'], cert).output)?.[1] ?? '';
    assert.ok(serial.length > 24 && serial.length <= 32, serial);
    serials.add(serial);
  }
  assert.is(serials.size, 12);
});

test('a certificate does not outlive its authority, and an authority at its end signs nothing', async () => {
  const made = new Date(Date.now() - 20 * 365.25 * DAY * 1000 + 10 * DAY * 1000);
  const ca = await authority(made);
  const end = openssl(['x509', '-noout', '-enddate'], ca.certificate).output;
  const { cert } = await member(ca);
  assert.is(openssl(['x509', '-noout', '-enddate'], cert).output, end);
  assert.match(verify(ca.certificate, cert).output, /: OK/);
  const late = new Date(Date.now() + 30 * DAY * 1000);
  assert.is((await thrown(() => member(ca, { now: late }))).code, 'AUTHORITY_EXPIRED');
  assert.is((await thrown(async () => crossSign(ca, await authority(), late))).code, 'AUTHORITY_EXPIRED');
});

test('a request of ours has no name, and openssl finds it signed', async () => {
  const { csr, key } = await createKeyAndRequest();
  const { output } = openssl(['req', '-verify', '-noout', '-text'], csr);
  assert.match(output, /verify OK/);
  assert.match(output, /Subject: ?\n/);
  const publicKey = openssl(['req', '-noout', '-pubkey'], csr).output;
  assert.is(openssl(['pkey', '-pubout'], key).output, publicKey);
});

const request = (...args: string[]): string => {
  const made = openssl(['req', '-new', '-nodes', '-keyout', file(''), '-subj', '/CN=x', ...args]);
  return (
    /-----BEGIN CERTIFICATE REQUEST[\s\S]*?-----END CERTIFICATE REQUEST-----\n/.exec(made.output)?.[0] ?? ''
  );
};
const P256 = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];

test('of a request, only the key is taken', async () => {
  const ca = await authority();
  const wishes = ['-addext', 'subjectAltName=DNS:evil', '-addext', 'basicConstraints=CA:TRUE'];
  const csr = request(...P256, ...wishes, '-subj', '/CN=root/O=plait:manager');
  assert.match(openssl(['req', '-noout', '-text'], csr).output, /DNS:evil/);
  const subject = {
    node: NODE,
    role: 'worker',
    cluster: CLUSTER,
    expirySeconds: DAY,
    addresses: [],
  } as const;
  const text = textOf(await issue(ca, csr, subject));
  assert.not.match(text, /evil|CA:TRUE|root|manager/);
  assert.ok(text.includes(`Subject: CN = ${NODE}, O = plait:worker, OU = ${CLUSTER}`));
});

const flip = (pem: string, last: number): string => {
  const der = Buffer.from(pem.replaceAll(/-----.*-----|\s/g, ''), 'base64');
  der.writeUInt8(der.readUInt8(der.length - last) ^ 1, der.length - last);
  return `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
};

const refusals: { why: string; csr: () => string; message: RegExp }[] = [
  { why: 'an RSA key', csr: () => request('-newkey', 'rsa:2048'), message: /key is rsa, not P-256/ },
  {
    why: 'another curve',
    csr: () => request('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384'),
    message: /key is secp384r1, not P-256/,
  },
  { why: 'Ed25519', csr: () => request('-newkey', 'ed25519'), message: /key is ed25519, not P-256/ },
  {
    why: 'a request that was changed',
    csr: () => flip(request(...P256), 2),
    message: /not signed by its own key/,
  },
  { why: 'text', csr: () => 'hello', message: /not PEM of one PKCS#10 request/ },
  { why: 'two requests', csr: () => request(...P256).repeat(2), message: /not PEM of one PKCS#10 request/ },
  {
    why: 'rubbish in PEM',
    csr: () => '-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n',
    message: /cannot be read/,
  },
  {
    why: 'half a request',
    csr: () => request(...P256).replace(/\n.{64}\n/, '\n'),
    message: /cannot be read/,
  },
  { why: 'a flood', csr: () => request(...P256).padEnd(10_000), message: /10000 characters, above 8192/ },
];

for (const { why, csr, message } of refusals) {
  test(`nothing is signed for ${why}`, async () => {
    const subject = {
      node: NODE,
      role: 'worker',
      cluster: CLUSTER,
      expirySeconds: DAY,
      addresses: [],
    } as const;
    const ca = await authority();
    const error = await thrown(() => issue(ca, csr(), subject));
    assert.is(error.code, 'BAD_CERTIFICATE_REQUEST', error.stack);
    assert.match(error.message, message);
  });
}

test('nothing is signed for what is no id, no address, no time', async () => {
  const ca = await authority();
  const rows = [
    { node: 'a,O=plait:manager' },
    { cluster: '' },
    { addresses: ['host'] },
    { expirySeconds: 0 },
  ];
  for (const row of rows) assert.is((await thrown(() => member(ca, row))).code, 'INVALID_INPUT');
  for (const address of ['fe80::1%eth0', '', '10.0.0.1/8'])
    assert.is((await thrown(() => member(ca, { addresses: [address] }))).code, 'INVALID_INPUT', address);
  assert.is((await thrown(() => createAuthority({ cluster: 'x' }))).code, 'INVALID_INPUT');
});

async function rotated(): Promise<{ old: Authority; next: Authority; withCross: Authority }> {
  const [old, next] = [await authority(), await authority()];
  return { old, next, withCross: { ...next, cross: await crossSign(old, next) } };
}

test('a cross-signed certificate lets who trusts only the old authority believe the new one', async () => {
  const { old, next, withCross } = await rotated();
  const { cert } = await member(withCross);
  const [leaf = '', cross = '', ...more] = splitBundle(cert);
  assert.is(more.length, 0);
  assert.match(verify(old.certificate, cert).output, /: OK/);
  assert.match(verify(next.certificate, cert).output, /: OK/);
  assert.match(verify(old.certificate + next.certificate, cert).output, /: OK/);
  assert.is(verify(old.certificate, leaf).status, 2, 'without it, nobody does');

  const [text, nextText] = [textOf(cross), textOf(next.certificate)];
  assert.is(identifier(text, 'Subject'), identifier(nextText, 'Subject'));
  assert.is(identifier(text, 'Authority'), identifier(textOf(old.certificate), 'Subject'));
  assert.ok(text.includes('CA:TRUE, pathlen:0'));
  const key = (pem: string): string => openssl(['x509', '-noout', '-pubkey'], pem).output;
  assert.is(key(cross), key(next.certificate));
  assert.is.not(key(cross), key(old.certificate));
});

test('and the other way round: the old authority, signed by the new one', async () => {
  const { old, next } = await rotated();
  const { cert } = await member({ ...old, cross: await crossSign(next, old) });
  assert.match(verify(next.certificate, cert).output, /: OK/);
  assert.match(verify(old.certificate, cert).output, /: OK/);
});

test('certificates are valid from an hour before', async () => {
  const ca = await authority(NOW);
  const { cert } = await member(ca, { now: NOW });
  const at = (offset: number): number | null =>
    verify(ca.certificate, cert, '-attime', String(Math.floor((NOW.getTime() + offset) / 1000))).status;
  assert.is(at(-HOUR_MS + 1000), 0);
  assert.is(at(-HOUR_MS - 1000), 2);
});

test.run();
