import { X509Certificate } from 'node:crypto';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type CertificateLike, describeTlsFailure, identityOf } from '../../src/cluster/pki/identity.js';
import { authority, CLUSTER, DAY, file, member, NODE, openssl, thrown } from './support/pki.js';

const test = suite('who a certificate is of, and what it means when it is refused');

const NOW = new Date('2026-03-01T12:00:00Z');
const ca = await authority(NOW);
const { cert } = await member(ca, { role: 'manager', now: NOW, expirySeconds: 90 * DAY });
const expected = {
  node: NODE,
  role: 'manager',
  cluster: CLUSTER,
  notBefore: new Date('2026-03-01T11:00:00Z'),
  notAfter: new Date('2026-05-30T12:00:00Z'),
};

const forms: { form: string; certificate: CertificateLike }[] = [
  { form: 'PEM', certificate: cert },
  { form: 'the first of a chain', certificate: cert + ca.certificate },
  { form: 'DER', certificate: new X509Certificate(cert).raw },
  { form: "Node's", certificate: new X509Certificate(cert) },
];
for (const { form, certificate } of forms)
  test(`identity of ${form}`, () => assert.equal(identityOf(certificate), expected));

/** Made by openssl, by whoever likes to. */
function made(subject: string): string {
  const args = [
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-keyout',
    file(''),
  ];
  const { output } = openssl([
    'req',
    ...args,
    '-subj',
    subject,
    '-addext',
    'basicConstraints=critical,CA:FALSE',
  ]);
  return output.slice(output.indexOf('-----BEGIN CERT'));
}

const O = '/O=plait:worker';
const OU = `/OU=${CLUSTER}`;
const strangers: { why: string; subject: string; message: RegExp }[] = [
  { why: 'a web server', subject: '/CN=www.example.org', message: /of CN=www.example.org: its organization/ },
  { why: 'another role', subject: `/CN=${NODE}/O=plait:root${OU}`, message: /organization/ },
  { why: 'two roles', subject: `/CN=${NODE}${O}/O=plait:manager${OU}`, message: /organization/ },
  { why: 'a name that is no id', subject: `/CN=root${O}${OU}`, message: /no id of a node/ },
  { why: 'two names', subject: `/CN=${NODE}/CN=${NODE}${O}${OU}`, message: /no id of a node/ },
  { why: 'no cluster', subject: `/CN=${NODE}${O}`, message: /no id of a cluster/ },
  { why: 'more than that', subject: `/CN=${NODE}${O}${OU}/L=Bern`, message: /it has L too/ },
  {
    why: 'a line break in a name',
    subject: `/CN=x\nO=plait:manager\nOU=${CLUSTER}`,
    message: /organization/,
  },
];
for (const { why, subject, message } of strangers) {
  test(`no node of ours: ${why}`, async () => {
    const error = await thrown(() => identityOf(made(subject)));
    assert.is(error.code, 'NOT_A_NODE_CERTIFICATE', error.stack);
    assert.match(error.message, message);
    assert.not.match(error.message, /\n/);
  });
}

test('a CA is no node, and text is no certificate', async () => {
  assert.match((await thrown(() => identityOf(ca.certificate))).message, /it is a CA/);
  for (const text of ['', 'hello', Buffer.from('hello')])
    assert.is((await thrown(() => identityOf(text))).code, 'BAD_CERTIFICATE');
});

const PEER = 'manager 192.0.2.9:2377';
const later = (days: number): Date => new Date(NOW.getTime() + days * DAY * 1000);
/** As Node makes them. */
const coded = (code: string, message = 'said by Node'): Error => Object.assign(new Error(message), { code });
const alert = (name: string): Error =>
  coded(
    `ERR_SSL_${name.replaceAll(' ', '_').toUpperCase()}`,
    `error:0A000412:SSL routines:ssl3_read_bytes:${name}`,
  );
const grpc = (text: string): Error =>
  coded('14', `14 UNAVAILABLE: No connection established. Last error: ${text}`);
const fetchFailed = (cause: Error): Error => new TypeError('fetch failed', { cause });

interface Row {
  readonly error: unknown;
  readonly own?: string;
  readonly presented?: string;
  readonly now?: Date;
  readonly code: string;
  readonly message: string;
}

const rows: Row[] = [
  {
    error: coded('CERT_HAS_EXPIRED'),
    presented: cert,
    now: later(91),
    code: 'CERTIFICATE_EXPIRED',
    message: `trust ${PEER}: its certificate expired on 2026-05-30T12:00:00.000Z; this host's clock says 2026-05-31T12:00:00.000Z`,
  },
  {
    error: 'CERT_HAS_EXPIRED',
    code: 'CERTIFICATE_EXPIRED',
    message: `trust ${PEER}: its certificate, or the CA that signed it, has expired; this host's clock says 2026-03-01T12:00:00.000Z`,
  },
  {
    error: coded('CERT_NOT_YET_VALID'),
    presented: cert,
    now: later(-1),
    code: 'CERTIFICATE_NOT_YET_VALID',
    message: `trust ${PEER}: its certificate is not valid before 2026-03-01T11:00:00.000Z; this host's clock says 2026-02-28T12:00:00.000Z`,
  },
  {
    error: grpc('unable to verify the first certificate'),
    own: cert,
    code: 'OTHER_CLUSTER_CERTIFICATE',
    message: `trust ${PEER}: its certificate is not by a CA of this cluster (this node's is of cluster ${CLUSTER})`,
  },
  {
    error: fetchFailed(coded('SELF_SIGNED_CERT_IN_CHAIN')),
    presented: ca.certificate,
    code: 'OTHER_CLUSTER_CERTIFICATE',
    message: `trust ${PEER}: its certificate is not by a CA of this cluster (the other says no cluster of Plait: CN=plait cluster ${CLUSTER})`,
  },
  {
    error: coded('ERR_TLS_CERT_ALTNAME_INVALID'),
    code: 'CERTIFICATE_ADDRESS_MISMATCH',
    message: `trust ${PEER}: its certificate is not for that address`,
  },
  {
    error: coded('INVALID_PURPOSE'),
    presented: ca.certificate,
    code: 'CERTIFICATE_REFUSED',
    message: `trust ${PEER}: its certificate is not fit for this: CN=plait cluster ${CLUSTER}`,
  },
  {
    error: alert('sslv3 alert certificate expired'),
    own: cert,
    now: later(91),
    code: 'CERTIFICATE_EXPIRED',
    message: `be trusted by ${PEER}: this node's certificate expired on 2026-05-30T12:00:00.000Z; this host's clock says 2026-05-31T12:00:00.000Z`,
  },
  {
    error: alert('sslv3 alert bad certificate'),
    own: cert,
    now: later(-1),
    code: 'CERTIFICATE_NOT_YET_VALID',
    message: `be trusted by ${PEER}: this node's certificate is not valid before 2026-03-01T11:00:00.000Z; this host's clock says 2026-02-28T12:00:00.000Z`,
  },
  {
    error: alert('sslv3 alert bad certificate'),
    own: cert,
    code: 'CERTIFICATE_REFUSED',
    message: `be trusted by ${PEER}: it refused this node's certificate, valid from 2026-03-01T11:00:00.000Z to 2026-05-30T12:00:00.000Z without a reason; this host's clock says 2026-03-01T12:00:00.000Z`,
  },
  {
    error: alert('tlsv1 alert unknown ca'),
    own: cert,
    code: 'OTHER_CLUSTER_CERTIFICATE',
    message: `be trusted by ${PEER}: it does not know the CA of this node's certificate (this node's is of cluster ${CLUSTER})`,
  },
  {
    error: alert('tlsv13 alert certificate required'),
    code: 'CERTIFICATE_MISSING',
    message: `be trusted by ${PEER}: it wants a certificate and was shown none`,
  },
];
for (const { error, code, message, now = NOW, ...certificates } of rows) {
  test(`${message.slice(0, 100)}…`, () => {
    const told = describeTlsFailure(error, { peer: PEER, now, ...certificates });
    assert.is(told?.message, message);
    assert.is(told?.code, code);
    assert.ok(told?.hint, 'it says what to do');
    assert.is(told?.cause, error);
  });
}

const others: { why: string; error: unknown }[] = [
  { why: 'refused', error: coded('ECONNREFUSED', 'connect ECONNREFUSED 192.0.2.9:2377') },
  { why: 'no answer', error: coded('ETIMEDOUT') },
  { why: 'closed, while the certificate is good', error: coded('ECONNRESET', 'socket hang up') },
  { why: 'no error', error: undefined },
  { why: 'no TLS there', error: coded('ERR_SSL_WRONG_VERSION_NUMBER', 'wrong version number') },
];
for (const { why, error } of others) {
  test(`not about certificates: ${why}`, () =>
    assert.is(describeTlsFailure(error, { peer: PEER, own: cert, now: NOW }), undefined));
}

test('a certificate that cannot be read does not hide the failure', () => {
  const told = describeTlsFailure('CERT_HAS_EXPIRED', { peer: PEER, own: 'x', presented: Buffer.from('y') });
  assert.is(told?.code, 'CERTIFICATE_EXPIRED');
});

test.run();
