/** A node's key and its request for a certificate. The key is made here and stays here. */
import { webcrypto } from 'node:crypto';
import { KEY_ALGORITHM, pemOfKey, SIGNING_ALGORITHM } from './keys.js';
import { Pkcs10CertificateRequestGenerator } from './x509.js';

export interface KeyAndRequest {
  /** PKCS#8 (RFC 5208), PEM. Secret. */
  readonly key: string;
  /** PKCS#10 (RFC 2986), PEM. Has no name in it: who one is, the manager decides. */
  readonly csr: string;
}

export async function createKeyAndRequest(): Promise<KeyAndRequest> {
  const keys = await webcrypto.subtle.generateKey(KEY_ALGORITHM, true, ['sign', 'verify']);
  const csr = await Pkcs10CertificateRequestGenerator.create({ keys, signingAlgorithm: SIGNING_ALGORITHM });
  return { key: pemOfKey(keys.privateKey), csr: `${csr.toString('pem')}\n` };
}
