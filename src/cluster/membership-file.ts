/*
 * What this host knows of the cluster it is a member of, so that `plait agent` needs no options: `cluster.json` in the
 * state directory. `init` and `join` write it first, the agent keeps its list of managers up to date. It holds nothing
 * secret; keys are in tls/ beside it.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { PlaitError } from '../model/errors.js';
import { readJson, writeFileAtomically } from '../state/files.js';
import { ID_PATTERN, roleSchema } from './pki/records.js';

export const JOIN_PORT = 2377;
export const ETCD_CLIENT_PORT = 2379;
export const ETCD_PEER_PORT = 2380;

const managerSchema = z.looseObject({
  /** Node id; null of a manager that was only named on the command line yet. */
  node: z.string().nullable(),
  /** HOST:PORT where it answers workers and joiners. */
  api: z.string(),
});
export type ManagerAddress = z.infer<typeof managerSchema>;

const membershipSchema = z.looseObject({
  version: z.literal(1),
  cluster: z.string().regex(ID_PATTERN, 'not an id'),
  role: roleSchema,
  name: z.string(),
  /** Where other nodes reach this one's manager API and its etcd's peer port. IP address. */
  advertiseAddress: z.string(),
  /** Where both listen. IP address. */
  listenAddress: z.string(),
  /** VTEP address. */
  dataPathAddress: z.string(),
  /** UDP port of VXLAN, the same on all nodes. */
  dataPathPort: z.int().min(1).max(65535),
  managers: z.array(managerSchema),
  /**
   * How etcd of a manager starts for the first time: as members of --initial-cluster, from a backup, or alone after the
   * others were lost; gone when it has started.
   */
  firstStart: z
    .looseObject({
      kind: z.enum(['new', 'existing', 'restored', 'forced']),
      initialCluster: z.string(),
    })
    .optional(),
  /** The last demand for a new certificate that was met (`renew` of the node's spec). */
  renewed: z.string().optional(),
});
export type MembershipFile = z.infer<typeof membershipSchema>;

export function membershipPath(state: string): string {
  return join(state, 'cluster.json');
}

/** Undefined where this host is a member of no cluster. */
export async function readMembership(state: string): Promise<MembershipFile | undefined> {
  const path = membershipPath(state);
  const kept = await readJson(path).catch(() => null);
  if (kept === undefined) return undefined;
  const parsed = membershipSchema.safeParse(kept);
  if (parsed.success) return parsed.data;
  throw new PlaitError('BAD_MEMBERSHIP', `read ${path}: not what \`plait init\` or \`plait join\` wrote`, {
    hint: 'restore the file; or `plait leave --force` and join again',
  });
}

export async function writeMembership(state: string, membership: MembershipFile): Promise<void> {
  const text = `${JSON.stringify(membership, undefined, 2)}\n`;
  await writeFileAtomically(membershipPath(state), text, { durable: true });
}

/** HOST:PORT of a manager's API. */
export function apiOf(address: string): string {
  return `${inUrl(address)}:${JOIN_PORT}`;
}

export function managerAt(node: string, address: string): ManagerAddress {
  return { node, api: apiOf(address) };
}

/** An IPv6 address needs brackets. */
export function inUrl(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}
