/* What etcd holds of membership, as schemas: parsed at the edge, loose as all records are (model/records.ts). */
import { z } from 'zod';
import { formatCidr, parseCidr } from '../model/addresses.js';
import { InvalidInput } from '../model/errors.js';
import { ID_PATTERN, roleSchema } from './pki/records.js';

export const AVAILABILITIES = ['active', 'pause', 'drain'] as const;
export type Availability = (typeof AVAILABILITIES)[number];

/** `cluster`: what was decided by `init` for all nodes. */
export const clusterSchema = z.looseObject({
  id: z.string().regex(ID_PATTERN, 'not an id'),
  createdAt: z.iso.datetime(),
  /** Life of the certificates of nodes, seconds. */
  certExpirySeconds: z.int().min(60),
  /** Where subnets are chosen from; empty: the built-in pool. */
  defaultAddressPools: z.array(z.string().refine(isCidr, { error: 'not a subnet' })),
  /** Prefix length of those subnets. */
  defaultAddressPoolMaskLength: z.int().min(16).max(29),
  /** UDP port of VXLAN. */
  dataPathPort: z.int().min(1).max(65535),
});
export type Cluster = z.infer<typeof clusterSchema>;

/** `specs/<node>`: what managers say of a node. A node without one is no member. */
export const specSchema = z.looseObject({
  role: roleSchema,
  availability: z.enum(AVAILABILITIES),
  labels: z.record(z.string(), z.string()),
  /** What the node called itself when it joined; kept by its own record afterwards. */
  name: z.string(),
  /** Where other nodes reach it: its manager API and its etcd, if it is a manager. IP address. */
  address: z.string(),
  /** The node is to get a new certificate if this is another one than it has seen; random. */
  renew: z.string().optional(),
  /** `renew` as of the certificate that the node has shown since, which was one of the present CA. */
  renewed: z.string().optional(),
  /** etcd's --initial-cluster for a node that has just been made a manager. */
  initialCluster: z.string().optional(),
  joinedAt: z.iso.datetime(),
});
export type Spec = z.infer<typeof specSchema>;

const pem = z.string().max(65_536);

/** `secrets/etcd`: where and how managers reach an etcd that they do not run. */
export const externalEtcdSchema = z.looseObject({
  /** https://HOST:PORT, or http:// on the loopback. */
  endpoints: z.array(z.string()).min(1),
  tls: z
    .looseObject({
      /** Whom to trust. PEM, as the others. */
      ca: pem,
      /** What to show, where etcd asks for it. */
      certificate: pem.optional(),
      key: pem.optional(),
    })
    .optional(),
});
export type ExternalEtcd = z.infer<typeof externalEtcdSchema>;

function isCidr(text: string): boolean {
  try {
    return formatCidr(parseCidr(text)) === text;
  } catch (error) {
    if (error instanceof InvalidInput) return false;
    throw error;
  }
}
