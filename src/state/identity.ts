/* Who this node is: an id chosen once, kept in the state directory. */
import { join } from 'node:path';
import { z } from 'zod';
import { PlaitError } from '../model/errors.js';
import { randomId } from '../model/records.js';
import { readJson, writeFileAtomically } from './files.js';

const identitySchema = z.object({
  id: z.string().regex(/^[0-9a-z]{25}$/),
  createdAt: z.iso.datetime(),
  /** What the node was called last: for who finds the file without an agent. */
  name: z.string().optional(),
});
export type Identity = z.infer<typeof identitySchema>;

export async function loadIdentity(state: string, name: string): Promise<Identity> {
  const path = join(state, 'node.json');
  const kept = await readIdentity(path);
  if (kept?.name === name) return kept;
  const identity = { ...(kept ?? { id: randomId(), createdAt: new Date().toISOString() }), name };
  await writeFileAtomically(path, `${JSON.stringify(identity)}\n`, { durable: true });
  return identity;
}

async function readIdentity(path: string): Promise<Identity | undefined> {
  const kept = await readJson(path).catch(() => null);
  if (kept === undefined) return undefined;
  const parsed = identitySchema.safeParse(kept);
  if (!parsed.success) {
    throw new PlaitError('BAD_IDENTITY', `read node identity ${path}: not what the agent wrote`, {
      hint: 'restore the file, or remove it to join as a new node',
    });
  }
  return parsed.data;
}
