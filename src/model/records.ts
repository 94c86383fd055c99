/**
 * What etcd holds, as zod schemas: parsed at the edge, trusted inside. Objects are loose: a field that a newer
 * version wrote is kept when an older one writes the record back.
 */
import { randomInt } from 'node:crypto';
import { z } from 'zod';

/** 25 characters of base 36, as Docker Swarm's; over 128 random bits. */
export const ID_LENGTH = 25;
const ID_ALPHABET = '0123456789abcdefghijklmnopqrstuvwxyz';

export function randomId(): string {
  return Array.from({ length: ID_LENGTH }, () => ID_ALPHABET[randomInt(ID_ALPHABET.length)]).join('');
}

/** `node` of endpoints that no agent owns: peers that speak plain VXLAN. */
export const EXTERNAL_NODE = 'external';

export const VNI_FIRST = 4096;
export const VNI_LAST = 2 ** 24 - 1;

const id = z.string().regex(/^[0-9a-z]{25}$/, 'not an id');
const text = z.string().min(1);
const mac = z.string().regex(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/, 'not a lower case mac');
const ip = z.union([z.ipv4(), z.ipv6()]);
const cidr = z.union([z.cidrv4(), z.cidrv6()]);
const labels = z.record(z.string(), z.string());
const time = z.iso.datetime();

export const nodeSchema = z.looseObject({
  id,
  name: text,
  /** Underlay address of its VTEP. */
  vtep: ip,
  version: z.string(),
  labels,
  createdAt: time,
});
export type Node = z.infer<typeof nodeSchema>;

export const subnetSchema = z.looseObject({
  subnet: cidr,
  /** Null on internal networks. */
  gateway: ip.nullable(),
  /** Where automatic addresses come from; the whole subnet without it. */
  range: cidr.optional(),
});
export type NetworkSubnet = z.infer<typeof subnetSchema>;

export const networkSchema = z.looseObject({
  id,
  name: text,
  vni: z.int().min(1).max(VNI_LAST),
  subnets: z.array(subnetSchema).min(1),
  /** No way out of the network: no gateway, no forwarding of names. */
  internal: z.boolean(),
  /** Biggest IP packet inside, bytes. */
  mtu: z.int().min(576).max(65485),
  labels,
  options: z.record(z.string(), z.string()),
  createdAt: time,
});
export type Network = z.infer<typeof networkSchema>;

export const endpointSchema = z.looseObject({
  id,
  network: id,
  /** Id of the node that owns it, or `external`. */
  node: z.union([id, z.literal(EXTERNAL_NODE)]),
  name: text,
  aliases: z.array(text),
  mac,
  addresses: z.array(ip).min(1),
  labels,
  createdAt: time,
  /** Underlay address of the peer that has it; with node `external` only. */
  vtep: ip.optional(),
});
export type Endpoint = z.infer<typeof endpointSchema>;
