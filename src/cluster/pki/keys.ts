/** Private keys between WebCrypto, which signs, and PEM, which is stored. All are ECDSA on P-256 (RFC 5480) with SHA-256. */
import { createPrivateKey, KeyObject, webcrypto } from 'node:crypto';

export const KEY_ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256' } as const;
export const SIGNING_ALGORITHM = { name: 'ECDSA', hash: 'SHA-256' } as const;

/** PKCS#8 (RFC 5208). */
export function pemOfKey(key: webcrypto.CryptoKey): string {
  return KeyObject.from(key).export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** @param pem PKCS#8 */
export function signingKey(pem: string): Promise<webcrypto.CryptoKey> {
  const der = createPrivateKey(pem).export({ type: 'pkcs8', format: 'der' });
  return webcrypto.subtle.importKey('pkcs8', der, KEY_ALGORITHM, false, ['sign']);
}
