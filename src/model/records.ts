/**
 * What etcd holds, as zod schemas: parsed at the edge, trusted inside. So whatever the inside could stumble over is
 * refused here, by the rules for what people type: text that is not in its one canonical form, a subnet that is none,
 * a VTEP that no packet can be sent to. Objects are loose: a field that a newer version wrote is kept when an older
 * one writes the record back.
 */
import { randomInt } from 'node:crypto';
import { z } from 'zod';
import {
  canonicalIp,
  containerMac,
  contains,
  formatCidr,
  parseCidr,
  parseIp,
  vtepAddress,
  within,
} from './addresses.js';
import { InvalidInput } from './errors.js';
import {
  MTU_MAX,
  MTU_MIN,
  VNI_LAST,
  validateEndpointName,
  validateNetworkName,
  validateSubnet,
} from './validate.js';

/** 25 characters of base 36, as Docker Swarm's; over 128 random bits. */
export const ID_LENGTH = 25;
const ID_ALPHABET = '0123456789abcdefghijklmnopqrstuvwxyz';

export function randomId(): string {
  return Array.from({ length: ID_LENGTH }, () => ID_ALPHABET[randomInt(ID_ALPHABET.length)]).join('');
}

/** `node` of endpoints that no agent owns: peers that speak plain VXLAN. */
export const EXTERNAL_NODE = 'external';

const id = z.string().regex(/^[0-9a-z]{25}$/, 'not an id');
/** Ends up on terminals: nothing that moves a cursor. */
const text = z.string().regex(/^[^\p{C}]{1,253}$/u, 'not 1 to 253 printable characters');
const networkName = textBy((name) => validateNetworkName(name));
const endpointName = textBy((name) => validateEndpointName(name));
const mac = textBy((mac) => containerMac(mac));
const ip = textBy((address) => canonicalIp(address));
const vtep = textBy((address) => vtepAddress(address));
const cidr = textBy((prefix) => formatCidr(parseCidr(prefix)));
const subnet = textBy((prefix) => formatCidr(validateSubnet(prefix)));
const labels = z.record(z.string(), z.string());
const time = z.iso.datetime();

export const nodeSchema = z.looseObject({
  id,
  name: text,
  /** Underlay address of its VTEP. */
  vtep,
  version: z.string(),
  labels,
  createdAt: time,
});
export type Node = z.infer<typeof nodeSchema>;

export const subnetSchema = z
  .looseObject({
    subnet,
    /** Null on internal networks. */
    gateway: ip.nullable(),
    /** Where automatic addresses come from; the whole subnet without it. */
    range: cidr.optional(),
  })
  .refine(({ subnet, gateway }) => gateway === null || contains(parseCidr(subnet), parseIp(gateway)), {
    error: 'the gateway is not in the subnet',
  })
  .refine(({ subnet, range }) => range === undefined || within(parseCidr(range), parseCidr(subnet)), {
    error: 'the range is not in the subnet',
  });
export type NetworkSubnet = z.infer<typeof subnetSchema>;

export const networkSchema = z.looseObject({
  id,
  name: networkName,
  vni: z.int().min(1).max(VNI_LAST),
  subnets: z.array(subnetSchema).min(1),
  /** No way out of the network: no gateway, no forwarding of names. */
  internal: z.boolean(),
  /** Biggest IP packet inside, bytes. */
  mtu: z.int().min(MTU_MIN).max(MTU_MAX),
  labels,
  options: z.record(z.string(), z.string()),
  createdAt: time,
});
export type Network = z.infer<typeof networkSchema>;

/** What an endpoint is found by in its network; several may have a name. */
const described = { name: endpointName, aliases: z.array(endpointName) };
export const descriptionSchema = z.strictObject(described);
export type Description = z.infer<typeof descriptionSchema>;

export const endpointSchema = z
  .looseObject({
    id,
    network: id,
    /** Id of the node that owns it, or `external`. */
    node: z.union([id, z.literal(EXTERNAL_NODE)]),
    ...described,
    mac,
    addresses: z.array(ip).min(1),
    labels,
    createdAt: time,
    /** Underlay address of the peer that has it; with node `external` only. */
    vtep: vtep.optional(),
  })
  .refine(({ node, vtep }) => (node === EXTERNAL_NODE) === (vtep !== undefined), {
    error: 'a vtep goes with node external, and with no other',
  });
export type Endpoint = z.infer<typeof endpointSchema>;

/** Text that the rule returns unchanged; what the rule says against another is the issue. */
function textBy(rule: (text: string) => string) {
  return z.string().superRefine((given, context) => {
    try {
      const canonical = rule(given);
      if (canonical !== given)
        context.addIssue({ code: 'custom', message: `not written as ${canonical}`, continue: false });
    } catch (error) {
      if (!(error instanceof InvalidInput)) throw error;
      context.addIssue({ code: 'custom', message: error.message, continue: false });
    }
  });
}
