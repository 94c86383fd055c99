/**
 * Join tokens: `PLAIT-1-<digest>-<secret>`. The digest (50 characters) is that of the CA certificate, by which the joiner
 * knows the cluster before it says anything. The secret (25 characters, 128 bits) says who may join, and as what.
 *
 * The secret is derived: an HMAC of a nonce by the CA's private key. So any manager can print it again, and etcd holds
 * the nonce and a hash, of which neither lets anybody join. A new nonce makes the old token worthless, and so does a
 * new CA. The secret has 128 random bits, so a plain hash of it cannot be guessed back: no salt, no slow hash.
 */
import { createHash, createHmac, createPrivateKey, timingSafeEqual } from 'node:crypto';
import { randomId } from '../../model/records.js';
import { toBase36 } from './base36.js';
import { DIGEST_LENGTH } from './bundle.js';
import { BadToken } from './errors.js';
import type { Role, TokenRecord } from './records.js';

const PREFIX = 'PLAIT';
const VERSION = '1';
/** Enough for 128 bits: 36^25 > 2^128. */
export const SECRET_LENGTH = 25;
const SECRET_BYTES = 16;
/** `PLAIT-1-` and the two parts with the dash between them. */
export const TOKEN_LENGTH = PREFIX.length + 1 + VERSION.length + 1 + DIGEST_LENGTH + 1 + SECRET_LENGTH;
/** Separates this use of the key from any other. */
const PURPOSE = 'plait join token 1';

export interface Token {
  /** `digestOf()` the CA certificate. */
  readonly digest: string;
  readonly secret: string;
}

/**
 * The first 16 bytes of HMAC-SHA256 (RFC 2104) over purpose, role and nonce, separated by NUL, as 25 characters of base 36.
 * Its key is the private key's number, 32 bytes big-endian (RFC 7518, 6.2.2.1), whatever PEM it comes in.
 * @param caKeyPem PKCS#8
 */
export function deriveSecret(caKeyPem: string, role: Role, nonce: string): string {
  const { crv, d } = createPrivateKey(caKeyPem).export({ format: 'jwk' });
  if (crv !== 'P-256' || d === undefined)
    throw new TypeError('derive secret of join token: the key is not on P-256');
  const hmac = createHmac('sha256', Buffer.from(d, 'base64url'));
  const bytes = hmac.update([PURPOSE, role, nonce].join('\0')).digest();
  return toBase36(bytes.subarray(0, SECRET_BYTES), SECRET_LENGTH);
}

export function formatToken({ digest, secret }: Token): string {
  return [PREFIX, VERSION, digest, secret].join('-');
}

/** Space around it is no harm. Throws BadToken, which names what is wrong and never the token. */
export function parseToken(text: string): Token {
  const token = text.trim();
  const [prefix, version, digest = '', secret = '', ...more] = token.split('-');
  if (prefix === 'SWMTKN') throw new BadToken('it is one of Docker Swarm');
  if (prefix !== PREFIX) throw new BadToken(`it does not begin with ${PREFIX}-${VERSION}-`);
  if (version !== VERSION) throw otherVersion(version);
  if (more.length > 0) throw new BadToken(`it has ${more.length} part(s) too many`);
  const strange = /[^0-9a-z]/u.exec(digest + secret);
  if (strange)
    throw new BadToken(`it has a ${JSON.stringify(strange[0])}, and only digits and a to z are in one`);
  if (token.length < TOKEN_LENGTH) {
    throw new BadToken(`it is cut off: ${token.length} of ${TOKEN_LENGTH} characters are there`);
  }
  if (digest.length !== DIGEST_LENGTH || secret.length !== SECRET_LENGTH) {
    const lengths = `${digest.length} and ${secret.length} characters, not ${DIGEST_LENGTH} and ${SECRET_LENGTH}`;
    throw new BadToken(`its parts have ${lengths}`);
  }
  return { digest, secret };
}

function otherVersion(version = ''): BadToken {
  if (!/^\d{1,3}$/.test(version)) return new BadToken(`it does not begin with ${PREFIX}-${VERSION}-`);
  return new BadToken(
    `it has version ${version}, and this Plait knows version ${VERSION}`,
    'install the same version of Plait on this host and on the managers',
  );
}

/** SHA-256 of the secret's characters, 64 hexadecimal digits. */
export function hashSecret(secret: string): string {
  return sha256(secret).toString('hex');
}

/** Takes the same time wherever the two differ. */
export function isSecret(hash: string, secret: string): boolean {
  const kept = Buffer.from(hash, 'hex');
  const given = sha256(secret);
  return kept.length === given.length && timingSafeEqual(kept, given);
}

/** @param authority the CA; its key is what the secret is made of */
export function newTokenRecord(authority: { readonly key: string }, role: Role): TokenRecord {
  const nonce = randomId();
  return { nonce, hash: hashSecret(deriveSecret(authority.key, role, nonce)) };
}

/** What a secret lets its bearer be; undefined: nothing. Compares it with both records in any case. */
export function roleOfSecret(records: Readonly<Record<Role, TokenRecord>>, secret: string): Role | undefined {
  const isWorker = isSecret(records.worker.hash, secret);
  const isManager = isSecret(records.manager.hash, secret);
  if (isManager) return 'manager';
  return isWorker ? 'worker' : undefined;
}

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();
