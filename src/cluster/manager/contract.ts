/*
 * What is said between a manager's TCP 2377 and those who ask there: joiners, workers, other managers. HTTPS and JSON; a
 * failure is answered {"error": {"code", "message", "hint"}} with a fitting status, as by the agent's own API.
 */
import { z } from 'zod';
import { descriptionSchema, endpointSchema, networkSchema, nodeSchema } from '../../model/records.js';
import { ID_PATTERN } from '../pki/records.js';
import { externalEtcdSchema } from '../records.js';

const id = z.string().regex(ID_PATTERN, { error: 'not an id' });
const pem = z.string().max(16_384);
const address = z.union([z.ipv4(), z.ipv6()], { error: 'give an IP address' });
const texts = z.array(z.string()).max(64);
const pairs = z.record(z.string(), z.string());

/** GET /v1/ca: for who has no certificate yet; PEM. Whether to believe it, the digest in a token says. */
export interface AuthorityOffer {
  readonly ca: string;
}

/** GET /v1/hello */
export const helloSchema = z.looseObject({
  cluster: id,
  /** The manager's clock. */
  time: z.iso.datetime(),
  /** To be said in `join`, once, soon. */
  nonce: z.string(),
});
export type Hello = z.infer<typeof helloSchema>;

/** POST /v1/join */
export const joinSchema = z.strictObject({
  secret: z.string().max(64),
  nonce: z.string().max(128),
  csr: pem,
  node: id,
  name: z.string().regex(/^[a-zA-Z0-9](?:[a-zA-Z0-9_.-]{0,61}[a-zA-Z0-9])?$/, { error: 'not a name' }),
  address,
});
export type JoinRequest = z.infer<typeof joinSchema>;

const managerSchema = z.looseObject({ node: id, api: z.string() });

/** PEM: the node's certificate with what leads to the CA, and who is trusted. */
export const issuedSchema = z.looseObject({ certificate: pem, ca: pem });
export type Issued = z.infer<typeof issuedSchema>;

export const joinedSchema = issuedSchema.extend({
  cluster: id,
  role: z.enum(['worker', 'manager']),
  dataPathPort: z.int(),
  managers: z.array(managerSchema),
  /** etcd's --initial-cluster, of a manager that is to run it. */
  initialCluster: z.string().optional(),
  /** For a manager of a cluster whose etcd is another's. */
  externalEtcd: externalEtcdSchema.optional(),
});
export type Joined = z.infer<typeof joinedSchema>;

/** POST /v1/renew, with the certificate that the new one follows. */
export const renewSchema = z.strictObject({ csr: pem });

/** POST /v1/renewed: the certificate of this connection is the one that was demanded. */
export const renewedSchema = z.strictObject({ renewed: z.string().max(64) });

/** POST /v1/address: where the node is reached now. */
export const movedSchema = z.strictObject({ address });

const networkInput = z.strictObject({
  name: z.string(),
  subnets: texts.optional(),
  gateways: texts.optional(),
  ranges: texts.optional(),
  ipv6: z.boolean().optional(),
  internal: z.boolean().optional(),
  mtu: z.int().optional(),
  vni: z.int().optional(),
  labels: pairs.optional(),
  options: pairs.optional(),
});
const networkHost = z.strictObject({
  routes: z.array(z.strictObject({ subnet: z.string(), name: z.string() })).max(4096),
  mtu: z.int().min(576).max(65_535),
});
const holding = z.looseObject({
  id,
  network: id,
  node: z.string(),
  addresses: texts,
  mac: z.string(),
});

/** POST /v1/writes/<name>: what `ClusterWrites` has, one parameter list each. */
export const writeSchemas = {
  'place-endpoints': z.tuple([z.array(endpointSchema).min(1).max(128)]),
  'describe-endpoint': z.tuple([z.strictObject({ id, network: id, node: z.string() }), descriptionSchema]),
  'remove-endpoints': z.tuple([z.array(holding).max(20_000)]),
  'collect-orphans': z.tuple([id]),
  'create-network': z.tuple([networkInput, networkHost, id]),
  'remove-network': z.tuple([networkSchema]),
  'restore-network': z.tuple([networkSchema, endpointSchema]),
  'claim-node-name': z.tuple([nodeSchema]),
  'remove-node': z.tuple([z.looseObject({ id, name: z.string() })]),
} as const;
export type WriteName = keyof typeof writeSchemas;
