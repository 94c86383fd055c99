/* The part of the agent's API that managers answer: join tokens, the certificate authority, what is said of nodes. */
import { z } from 'zod';

export const ROLE_NAMES = ['worker', 'manager'] as const;
export const AVAILABILITY_NAMES = ['active', 'pause', 'drain'] as const;

const label = z.string().min(1, { error: 'give labels names' });

export const nodeUpdateSchema = z.strictObject({
  role: z.enum(ROLE_NAMES, { error: 'give worker or manager' }).optional(),
  availability: z.enum(AVAILABILITY_NAMES, { error: 'give active, pause or drain' }).optional(),
  addLabels: z.record(label, z.string(), { error: 'give labels as {"key": "value"}' }).optional(),
  removeLabels: z.array(label, { error: 'give a list of names' }).optional(),
});
export type NodeUpdateRequest = z.infer<typeof nodeUpdateSchema>;

export const roleParameterSchema = z.strictObject({
  role: z.enum(ROLE_NAMES, { error: 'give worker or manager' }),
});

export const nodeRemoveSchema = z.strictObject({ force: z.stringbool().optional() });
export type NodeRemoveQuery = z.infer<typeof nodeRemoveSchema>;

/** What another host needs to join. Secret. */
export interface JoinTokenAnswer {
  token: string;
  /** HOST:PORT of managers. */
  managers: string[];
}

export interface AuthorityAnswer {
  /** PEM, all that are trusted, the one that signs first. */
  certificates: string[];
  /** SHA-256 of the one that signs, as in join tokens. */
  digest: string;
  notAfter: string;
  /** Until every node has a certificate of the new one. */
  isRotating: boolean;
}
