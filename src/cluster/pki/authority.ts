/**
 * The cluster's certificate authority: makes itself, signs nodes' certificates, and signs the next authority.
 *
 * A certificate is made of what the manager knows; of a request, only the key is taken. It says who (CN, the node's id,
 * which is also its user in etcd), what (O, `plait:worker` or `plait:manager`) and where (OU, the cluster's id). Every
 * node is client and server, so it may be used as both: etcd's gateway to itself needs that too.
 *
 * An authority and the next one have the same name and differ in their key. Verifiers tell them apart by key identifier
 * (RFC 5280, 4.2.1.1 and 4.2.1.2), so these are in every certificate. None but the cross-signed one limits the
 * length of its path: Go, and so etcd, counts the cross-signed one, against RFC 5280, 4.2.1.9.
 */
import { randomBytes, webcrypto } from 'node:crypto';
import { canonicalIp } from '../../model/addresses.js';
import { InvalidInput } from '../../model/errors.js';
import { joinBundle, readCertificate } from './bundle.js';
import { AuthorityExpired } from './errors.js';
import { KEY_ALGORITHM, pemOfKey, SIGNING_ALGORITHM, signingKey } from './keys.js';
import { ID_PATTERN, MANAGER_NAME, type Role } from './records.js';
import { BACKDATE_MS } from './renewal.js';
import { keyOfRequest } from './request-key.js';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  type JsonGeneralNames,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  PublicKey,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from './x509.js';

const AUTHORITY_YEARS = 20;
const LOOPBACK = ['127.0.0.1', '::1'];

export interface Authority {
  /** Self-signed, PEM. */
  readonly certificate: string;
  /** PKCS#8, PEM. Secret. */
  readonly key: string;
  /** This authority's key and name, signed by the one before it: for those who trust only that one. PEM. */
  readonly cross?: string | undefined;
}

export interface Subject {
  /** Id of the node. */
  readonly node: string;
  readonly role: Role;
  /** Id of the cluster. */
  readonly cluster: string;
  /** From now, above zero; cut to the authority's own life. */
  readonly expirySeconds: number;
  /** Where others reach the node. Its id, localhost and the loopback addresses are added, and MANAGER_NAME to a manager's. */
  readonly addresses: readonly string[];
  readonly now?: Date;
}

export async function createAuthority(options: { cluster: string; now?: Date }): Promise<Authority> {
  const { cluster, now = new Date() } = options;
  checkId('cluster', cluster);
  const keys = await webcrypto.subtle.generateKey(KEY_ALGORITHM, true, ['sign', 'verify']);
  const notAfter = new Date(now);
  notAfter.setUTCFullYear(now.getUTCFullYear() + AUTHORITY_YEARS);
  const name = new Name([{ CN: [`plait cluster ${cluster}`] }]);
  const publicKey = await PublicKey.create(keys.publicKey);
  const certificate = await sign({
    ...{ subject: name, issuer: name, publicKey, issuerPublicKey: publicKey, signingKey: keys.privateKey },
    ...{ notBefore: backdated(now), notAfter },
    extensions: authorityExtensions(),
  });
  return { certificate, key: pemOfKey(keys.privateKey) };
}

/**
 * Signs a certificate for the key of the request.
 * @param csrPem PKCS#10; its names and extensions are not looked at
 * @returns PEM: the node's certificate, and the cross-signed one if the authority has one. Not the authority's own.
 * @throws BadCertificateRequest, AuthorityExpired, InvalidInput
 */
export async function issue(authority: Authority, csrPem: string, subject: Subject): Promise<string> {
  const { node, role, cluster, expirySeconds, now = new Date() } = subject;
  checkId('node', node);
  checkId('cluster', cluster);
  if (!(expirySeconds > 0)) throw new InvalidInput(`issue certificate: it would live ${expirySeconds} s`);
  const names = alternativeNames(subject);
  const ca = parts(authority);
  if (ca.notAfter <= now) throw new AuthorityExpired(ca.notAfter);
  const certificate = await sign({
    subject: new Name([{ CN: [node] }, { O: [`plait:${role}`] }, { OU: [cluster] }]),
    issuer: ca.name,
    publicKey: await keyOfRequest(csrPem),
    issuerPublicKey: ca.publicKey,
    signingKey: await signingKey(authority.key),
    notBefore: backdated(now),
    notAfter: earlier(new Date(now.getTime() + expirySeconds * 1000), ca.notAfter),
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.clientAuth, ExtendedKeyUsage.serverAuth]),
      new SubjectAlternativeNameExtension(names),
    ],
  });
  return joinBundle([certificate, ...(authority.cross === undefined ? [] : [authority.cross])]);
}

/**
 * A certificate of `next`'s key and name, signed by `previous`: who trusts only `previous` believes what `next` signs when
 * this is in the chain. Lives as long as both do.
 * @returns PEM
 * @throws AuthorityExpired when one of them has
 */
export async function crossSign(previous: Authority, next: Authority, now = new Date()): Promise<string> {
  const [issuer, subject] = [parts(previous), parts(next)];
  const notAfter = earlier(issuer.notAfter, subject.notAfter);
  if (notAfter <= now) throw new AuthorityExpired(notAfter);
  return sign({
    ...{ subject: subject.name, publicKey: subject.publicKey },
    ...{ issuer: issuer.name, issuerPublicKey: issuer.publicKey, signingKey: await signingKey(previous.key) },
    ...{ notBefore: backdated(now), notAfter },
    extensions: authorityExtensions(0),
  });
}

interface Parts {
  readonly name: Name;
  readonly publicKey: PublicKey;
  readonly notAfter: Date;
}

function parts({ certificate }: Authority): Parts {
  const { raw, publicKey, validTo } = readCertificate(certificate);
  return {
    name: new X509Certificate(raw).subjectName,
    publicKey: new PublicKey(publicKey.export({ type: 'spki', format: 'der' })),
    notAfter: new Date(validTo),
  };
}

interface Statement {
  readonly subject: Name;
  readonly publicKey: PublicKey;
  readonly issuer: Name;
  readonly issuerPublicKey: PublicKey;
  readonly signingKey: webcrypto.CryptoKey;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly extensions: readonly Extension[];
}

async function sign({ issuerPublicKey, extensions, ...statement }: Statement): Promise<string> {
  const signed = await X509CertificateGenerator.create({
    ...statement,
    serialNumber: randomSerial(),
    signingAlgorithm: SIGNING_ALGORITHM,
    extensions: [
      ...extensions,
      await SubjectKeyIdentifierExtension.create(statement.publicKey),
      await AuthorityKeyIdentifierExtension.create(issuerPublicKey),
    ],
  });
  return readCertificate(new Uint8Array(signed.rawData)).toString();
}

/** 128 random bits; the library writes them as a positive number (RFC 5280, 4.1.2.2). */
const randomSerial = (): string => randomBytes(16).toString('hex');

function authorityExtensions(pathLength?: number): Extension[] {
  return [
    new BasicConstraintsExtension(true, pathLength, true),
    new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
  ];
}

/** RFC 5280, 4.2.1.6; each once. */
function alternativeNames({ node, role, addresses }: Subject): JsonGeneralNames {
  const hosts = [node, 'localhost', ...(role === 'manager' ? [MANAGER_NAME] : [])];
  const ips = new Set([...addresses, ...LOOPBACK].map((address) => canonicalIp(address)));
  return [
    ...hosts.map((value) => ({ type: 'dns' as const, value })),
    ...[...ips].map((value) => ({ type: 'ip' as const, value })),
  ];
}

function checkId(what: string, id: string): void {
  if (!ID_PATTERN.test(id))
    throw new InvalidInput(`issue certificate: ${JSON.stringify(id)} is no id of a ${what}`);
}

/** X.509 knows whole seconds only (RFC 5280, 4.1.2.5). */
function backdated(now: Date): Date {
  return new Date(Math.floor((now.getTime() - BACKDATE_MS) / 1000) * 1000);
}

const earlier = (one: Date, other: Date): Date => (one < other ? one : other);
