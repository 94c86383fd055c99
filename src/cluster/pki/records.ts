/**
 * What etcd holds below `secrets/`, as zod schemas. Managers alone can read it. A CA whose key does not belong to its
 * certificate is refused here: everything that it signs would be refused elsewhere, without a reason that fits.
 */
import { createPrivateKey } from 'node:crypto';
import { z } from 'zod';
import { readCertificate } from './bundle.js';

export const ROLES = ['worker', 'manager'] as const;
export const roleSchema = z.enum(ROLES);
export type Role = z.infer<typeof roleSchema>;

/**
 * In the certificates of managers alone: by it etcd tells them from workers, on its ports for clients and for members. No
 * DNS knows it.
 */
export const MANAGER_NAME = 'manager.plait.internal';

/** Ids of nodes and clusters; they become names in certificates and users of etcd. */
export const ID_PATTERN = /^[0-9a-z]{25}$/;

const keyPair = { certificate: z.string(), key: z.string() };

const previousSchema = z.looseObject(keyPair).refine(isPair, { error: 'key and certificate are no CA' });

/** `secrets/ca`. What `issue()` and `newTokenRecord()` take as their authority. */
export const caRecordSchema = z
  .looseObject({
    /** PEM of the CA that signs. */
    ...keyPair,
    /** During a rotation: `certificate`'s key and subject, signed by `previous`. PEM. */
    cross: z.string().optional(),
    /** During a rotation: the CA before this one, still trusted. PEM. */
    previous: previousSchema.optional(),
  })
  .refine(isPair, { error: 'key and certificate are no CA' })
  .refine(isCross, { error: 'the cross-signed certificate is not of this CA by the previous one' });
export type CaRecord = z.infer<typeof caRecordSchema>;

/** `secrets/tokens/<role>`. */
export const tokenRecordSchema = z.looseObject({
  /** Makes, with the CA's key, the secret: `deriveSecret()`. */
  nonce: z.string().regex(ID_PATTERN, 'not a nonce'),
  /** `hashSecret()` of it: 64 hexadecimal digits. */
  hash: z.string().regex(/^[0-9a-f]{64}$/, 'not a SHA-256'),
});
export type TokenRecord = z.infer<typeof tokenRecordSchema>;

function isPair({ certificate, key }: { certificate: string; key: string }): boolean {
  try {
    const ca = readCertificate(certificate);
    return ca.ca && ca.checkPrivateKey(createPrivateKey(key));
  } catch {
    return false;
  }
}

interface Rotation {
  readonly certificate: string;
  readonly cross?: string | undefined;
  readonly previous?: { readonly certificate: string } | undefined;
}

function isCross({ certificate, cross, previous }: Rotation): boolean {
  if (cross === undefined) return true;
  if (previous === undefined) return false;
  try {
    const [signed, next] = [readCertificate(cross), readCertificate(certificate)];
    return (
      signed.ca &&
      signed.publicKey.equals(next.publicKey) &&
      signed.verify(readCertificate(previous.certificate).publicKey)
    );
  } catch {
    return false;
  }
}
