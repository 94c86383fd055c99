import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { crossSign } from '../../src/cluster/pki/authority.js';
import { toBase36 } from '../../src/cluster/pki/base36.js';
import {
  digestOf,
  digestOfDer,
  findByDigest,
  joinBundle,
  splitBundle,
  trustedBy,
} from '../../src/cluster/pki/bundle.js';
import { caRecordSchema, tokenRecordSchema } from '../../src/cluster/pki/records.js';
import { newTokenRecord } from '../../src/cluster/pki/token.js';
import { authority, file, member, openssl, thrown } from './support/pki.js';

const test = suite('PEM bundles, and what etcd holds of them');

const [old, next] = [await authority(), await authority()];
const cross = await crossSign(old, next);
const both = `${next.certificate}${old.certificate}`;

test('a bundle is split as openssl splits it', () => {
  const { output } = openssl(['crl2pkcs7', '-nocrl', '-certfile', file(both)]);
  const printed = openssl(['pkcs7', '-print_certs'], output).output;
  assert.equal(splitBundle(printed), [next.certificate, old.certificate]);
});

test('it is put together again, each certificate once, in one form', () => {
  const odd = both.replaceAll('\n', '\r\n');
  assert.is(joinBundle([odd, old.certificate, next.certificate]), both);
  assert.is(joinBundle([next.certificate.trimEnd(), `# a remark\n${old.certificate}`]), both);
});

const bad: { why: string; pem: string; message: RegExp }[] = [
  { why: 'nothing', pem: '', message: /there is none/ },
  { why: 'a key', pem: old.key, message: /a PRIVATE KEY among the certificates/ },
  { why: 'a key behind them', pem: both + old.key, message: /a PRIVATE KEY among the certificates/ },
  { why: 'a half one', pem: both.slice(0, -20), message: /cut off/ },
  { why: 'one without a beginning', pem: both.slice(10), message: /cut off/ },
  { why: 'a damaged one', pem: both.replace(/\n.{64}\n/, '\n'), message: /neither PEM nor DER/ },
];
for (const { why, pem, message } of bad) {
  test(`no bundle: ${why}`, async () => {
    const error = await thrown(() => splitBundle(pem));
    assert.is(error.code, 'BAD_CERTIFICATE');
    assert.match(error.message, message);
  });
}

test('a digest is of one certificate, in PEM or DER', async () => {
  const der = Buffer.from(old.certificate.replaceAll(/-----.*-----|\s/g, ''), 'base64');
  assert.is(digestOf(old.certificate), digestOfDer(der));
  assert.is.not(digestOf(old.certificate), digestOf(next.certificate));
  assert.match((await thrown(() => digestOf(both))).message, /several, not one/);
});

test('a joiner finds the CA of its token among others', () => {
  assert.is(findByDigest(`${cross}${both}`, digestOf(old.certificate)), old.certificate);
  assert.is(findByDigest(`${cross}${old.certificate}`, digestOf(next.certificate)), undefined);
});

test('base 36 has a fixed length, from nothing to the biggest', () => {
  assert.is(toBase36(Buffer.alloc(32), 50), '0'.repeat(50));
  assert.is(toBase36(Buffer.alloc(16), 25), '0'.repeat(25));
  assert.is(toBase36(Buffer.from([1, 36]), 4), '0084'); // 292 = 8 × 36 + 4
  assert.is(toBase36(Buffer.alloc(16, 255), 25), 'f5lxx1zz5pnorynqglhzmsp33'); // known for 2^128 − 1
  assert.is(toBase36(Buffer.alloc(32, 255), 50).length, 50);
  assert.throws(() => toBase36(Buffer.alloc(17, 255), 25), /do not fit/);
});

test('who is trusted: the authority, and the one before it during a rotation', () => {
  assert.is(trustedBy(old), old.certificate);
  assert.is(trustedBy({ ...next, previous: old }), both);
});

test('the record of an authority is read back, and what a newer version wrote in it is kept', () => {
  const record = { ...next, cross, previous: { ...old, since: 1 }, note: 'x' };
  assert.equal(caRecordSchema.parse(JSON.parse(JSON.stringify(record))), record);
  assert.equal(caRecordSchema.parse({ ...old }), old);
});

const { cert, key } = await member(old);
const authorities: { why: string; record: unknown }[] = [
  { why: 'key of another', record: { certificate: old.certificate, key: next.key } },
  { why: 'no key', record: { certificate: old.certificate } },
  { why: 'certificate of a node', record: { certificate: cert, key } },
  { why: 'text', record: { certificate: 'x', key: 'y' } },
  { why: 'cross-signed one of another key', record: { ...next, previous: old, cross: old.certificate } },
  { why: 'cross-signed one by another', record: { ...next, previous: next, cross } },
  { why: 'cross-signed one without the signer', record: { ...next, cross } },
  { why: 'a previous one with a wrong key', record: { ...next, previous: { ...old, key: next.key } } },
];
for (const { why, record } of authorities)
  test(`no authority: ${why}`, () => assert.not.ok(caRecordSchema.safeParse(record).success));

test('the record of a token is read back, another is refused', () => {
  const record = newTokenRecord(old, 'worker');
  assert.equal(tokenRecordSchema.parse({ ...record, note: 1 }), { ...record, note: 1 });
  for (const wrong of [{}, { ...record, hash: 'x' }, { ...record, nonce: '' }])
    assert.not.ok(tokenRecordSchema.safeParse(wrong).success);
});

test.run();
