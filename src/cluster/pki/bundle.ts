/**
 * PEM text (RFC 7468) with certificates in it: chains, from the node's own upwards, and bundles of CAs that are trusted.
 * What comes out is always in one form: 64 columns, LF, a newline at the end of each.
 */
import { createHash, X509Certificate } from 'node:crypto';
import { toBase36 } from './base36.js';
import { BadCertificate } from './errors.js';

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----/g;

/** Enough for 256 bits: 36^50 > 2^256. */
export const DIGEST_LENGTH = 50;

/** The certificates of the text, in its order. Throws BadCertificate if there is none, something else, or half a one. */
export function splitBundle(pem: string): string[] {
  const blocks = [...pem.matchAll(BLOCK)];
  const certificates = blocks.map(([block, label]) => {
    if (label !== 'CERTIFICATE') throw new BadCertificate(`there is a ${label} among the certificates`);
    return readCertificate(block).toString();
  });
  if (pem.replaceAll(BLOCK, '').includes('-----')) throw new BadCertificate('the PEM text is cut off');
  if (certificates.length === 0) throw new BadCertificate('there is none in the PEM text');
  return certificates;
}

/** One text of all of them, each once, in the order of their first appearance. Each part may have several. */
export function joinBundle(parts: readonly string[]): string {
  return [...new Set(parts.flatMap(splitBundle))].join('');
}

/** SHA-256 of the DER of the one certificate in the text, as 50 characters of `[0-9a-z]`. Throws BadCertificate. */
export function digestOf(caPem: string): string {
  const [certificate, ...others] = splitBundle(caPem);
  if (certificate === undefined || others.length > 0) throw new BadCertificate('there are several, not one');
  return digestOfDer(readCertificate(certificate).raw);
}

/** The same of `raw` in a certificate that Node's TLS shows. */
export function digestOfDer(der: Uint8Array): string {
  return toBase36(createHash('sha256').update(der).digest(), DIGEST_LENGTH);
}

/** The certificate of the text that the digest is of: how a joiner knows the CA of its token among what it was shown. */
export function findByDigest(pem: string, digest: string): string | undefined {
  return splitBundle(pem).find((certificate) => digestOf(certificate) === digest);
}

/**
 * What a node trusts: the CA of the cluster, and during a rotation the one before it.
 * @param ca the record `secrets/ca`
 */
export function trustedBy(ca: {
  certificate: string;
  previous?: { certificate: string } | undefined;
}): string {
  return joinBundle([ca.certificate, ...(ca.previous ? [ca.previous.certificate] : [])]);
}

/** The first certificate of PEM text, or that of DER. Throws BadCertificate. */
export function readCertificate(certificate: string | Uint8Array): X509Certificate {
  try {
    return new X509Certificate(certificate);
  } catch (error) {
    throw new BadCertificate('it is neither PEM nor DER of X.509', error);
  }
}
