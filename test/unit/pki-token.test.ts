import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { digestOf } from '../../src/cluster/pki/bundle.js';
import {
  deriveSecret,
  formatToken,
  hashSecret,
  isSecret,
  newTokenRecord,
  parseToken,
  roleOfSecret,
} from '../../src/cluster/pki/token.js';
import { authority, openssl, thrown } from './support/pki.js';

const test = suite('join tokens');

const DIGEST = '0123456789abcdefghijklmnopqrstuvwxyz01234567890123';
const SECRET = '0123456789abcdefghijklmno';
const TOKEN = `PLAIT-1-${DIGEST}-${SECRET}`;
const ca = await authority();

/** What the digits of base 36 stand for, the other way round than the code. */
function hexOf(text: string, bytes: number): string {
  let value = 0n;
  for (const digit of text) value = value * 36n + BigInt(Number.parseInt(digit, 36));
  return value.toString(16).padStart(2 * bytes, '0');
}

test('the digest is what openssl calls the fingerprint of the CA', () => {
  const { output } = openssl(['x509', '-noout', '-fingerprint', '-sha256'], ca.certificate);
  const fingerprint = output.trim().split('=')[1]?.replaceAll(':', '').toLowerCase();
  const digest = digestOf(ca.certificate);
  assert.match(digest, /^[0-9a-z]{50}$/);
  assert.is(hexOf(digest, 32), fingerprint);
});

test('the secret is an HMAC by the private key, as openssl makes it', () => {
  const text = openssl(['pkey', '-noout', '-text'], ca.key).output;
  const scalar = /priv:([0-9a-f:\s]+)pub:/.exec(text)?.[1]?.replaceAll(/[:\s]/g, '').padStart(64, '0');
  const key = `hexkey:${scalar?.slice(-64)}`;
  const { output } = openssl(
    ['dgst', '-sha256', '-mac', 'HMAC', '-macopt', key],
    'plait join token 1\0worker\0abc',
  );
  const mac = output.trim().split('= ')[1] ?? '';
  const secret = deriveSecret(ca.key, 'worker', 'abc');
  assert.match(secret, /^[0-9a-z]{25}$/);
  assert.is(hexOf(secret, 16), mac.slice(0, 32));
});

test('the same key in another PEM gives the same secret; another role, nonce or key another one', async () => {
  const { output } = openssl(['ec', '-conv_form', 'compressed'], ca.key);
  const sec1 = output.slice(output.indexOf('-----BEGIN'));
  assert.match(sec1, /^-----BEGIN EC PRIVATE KEY/);
  const secret = deriveSecret(ca.key, 'worker', 'abc');
  assert.is(deriveSecret(sec1, 'worker', 'abc'), secret);
  const others = [
    deriveSecret(ca.key, 'manager', 'abc'),
    deriveSecret(ca.key, 'worker', 'abd'),
    deriveSecret((await authority()).key, 'worker', 'abc'),
  ];
  assert.is(new Set([secret, ...others]).size, 4);
});

test('a key that is none of ours makes no secret', async () => {
  const { output } = openssl(['genpkey', '-algorithm', 'ed25519', '-quiet']);
  const key = output.slice(output.indexOf('-----'));
  assert.match((await thrown(() => deriveSecret(key, 'worker', 'a'))).message, /not on P-256/);
});

test('what is stored gives nothing away, and the secret can be made again', () => {
  const record = newTokenRecord(ca, 'manager');
  assert.equal(Object.keys(record).sort(), ['hash', 'nonce']);
  const secret = deriveSecret(ca.key, 'manager', record.nonce);
  assert.ok(isSecret(record.hash, secret));
  assert.is(openssl(['dgst', '-sha256', '-r'], secret).output.split(' ')[0], record.hash);
  assert.not.ok(JSON.stringify(record).includes(secret));
  assert.is.not(newTokenRecord(ca, 'manager').nonce, record.nonce);
});

test('a secret gives the role that its record is of', () => {
  const records = { worker: newTokenRecord(ca, 'worker'), manager: newTokenRecord(ca, 'manager') };
  assert.is(roleOfSecret(records, deriveSecret(ca.key, 'worker', records.worker.nonce)), 'worker');
  assert.is(roleOfSecret(records, deriveSecret(ca.key, 'manager', records.manager.nonce)), 'manager');
  const rotated = { ...records, worker: newTokenRecord(ca, 'worker') };
  assert.is(roleOfSecret(rotated, deriveSecret(ca.key, 'worker', records.worker.nonce)), undefined);
  for (const nothing of ['', SECRET, records.worker.hash, records.worker.nonce])
    assert.is(roleOfSecret(records, nothing), undefined);
});

test('a hash that is none fits nothing', () => {
  for (const hash of ['', 'zz', hashSecret(SECRET).slice(2)]) assert.not.ok(isSecret(hash, SECRET));
});

test('a token is read as it was written, with space around it', () => {
  const digest = digestOf(ca.certificate);
  const secret = deriveSecret(ca.key, 'worker', 'abc');
  const token = formatToken({ digest, secret });
  assert.match(token, /^PLAIT-1-[0-9a-z]{50}-[0-9a-z]{25}$/);
  assert.equal(parseToken(` ${token}\n`), { digest, secret });
});

const rows: { why: string; token: string; message: string }[] = [
  { why: 'nothing', token: '', message: 'it does not begin with PLAIT-1-' },
  { why: 'lower case', token: TOKEN.toLowerCase(), message: 'it does not begin with PLAIT-1-' },
  { why: 'one of Docker Swarm', token: `SWMTKN-1-${DIGEST}-${SECRET}`, message: 'it is one of Docker Swarm' },
  {
    why: 'a later version',
    token: TOKEN.replace('-1-', '-2-'),
    message: 'it has version 2, and this Plait knows version 1',
  },
  { why: 'no version', token: TOKEN.replace('-1-', '-'), message: 'it does not begin with PLAIT-1-' },
  {
    why: 'its end cut off',
    token: TOKEN.slice(0, -1),
    message: 'it is cut off: 83 of 84 characters are there',
  },
  {
    why: 'its secret cut off',
    token: TOKEN.slice(0, 40),
    message: 'it is cut off: 40 of 84 characters are there',
  },
  { why: 'only its beginning', token: 'PLAIT-1-', message: 'it is cut off: 8 of 84 characters are there' },
  {
    why: 'a character too many',
    token: `${TOKEN}0`,
    message: 'its parts have 50 and 26 characters, not 50 and 25',
  },
  {
    why: 'the dash at another place',
    token: `PLAIT-1-${DIGEST.slice(1)}-0${SECRET}`,
    message: 'its parts have 49 and 26 characters, not 50 and 25',
  },
  { why: 'two tokens', token: `${TOKEN}-${TOKEN}`, message: 'it has 4 part(s) too many' },
  {
    why: 'a capital',
    token: TOKEN.replace('abc', 'aBc'),
    message: 'it has a "B", and only digits and a to z are in one',
  },
  {
    why: 'a line break inside',
    token: TOKEN.replace('abc', 'a\nc'),
    message: 'it has a "\\n", and only digits and a to z are in one',
  },
];

for (const { why, token, message } of rows) {
  test(`no token: ${why}`, async () => {
    const error = await thrown(() => parseToken(token));
    assert.is(error.code, 'BAD_TOKEN');
    assert.is(error.message, `read join token: ${message}`);
    assert.not.ok(`${error.message}${error.hint}`.includes(SECRET));
  });
}

test.run();
