/*
 * The agent's API as both of its ends see it: the agent checks requests with these schemas, the command line reads
 * answers with these types. HTTP and JSON over a unix socket; streams are one JSON object per line. A failed
 * request is answered {"error": {"code", "message"}} with a fitting status.
 *
 * Request messages end up on somebody's terminal, so each says what to write instead.
 */
import { z } from 'zod';

const nameRule = /^[a-zA-Z0-9](?:[a-zA-Z0-9_.-]{0,61}[a-zA-Z0-9])?$/;
const nameHelp = 'use 1 to 63 letters, digits, "-", "_" or ".", starting and ending with a letter or digit';
const ifnameRule = /^[^\s/:]{1,15}$/;

const name = z.string({ error: 'give it as a string' }).regex(nameRule, { error: nameHelp });
const nameOrId = z.string({ error: 'give a name or an id' }).min(1, { error: 'give a name or an id' });
const labels = z.record(z.string(), z.string(), { error: 'give labels as {"key": "value"}' });
const macAddress = z
  .string({ error: 'give a MAC address such as 02:11:22:33:44:55' })
  .regex(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i, { error: 'give a MAC address such as 02:11:22:33:44:55' });
const ipAddresses = z.array(
  z.string({ error: 'give an IP address' }).min(2, { error: 'give an IP address' }),
  {
    error: 'give a list of IP addresses',
  },
);
const netnsPath = z.string({ error: 'give the path of a network namespace' }).regex(/^(\/.+|pid:[1-9]\d*)$/, {
  error: 'give the absolute path of a network namespace, such as /run/netns/c1, or pid:1234',
});

export const networkCreateSchema = z.strictObject({
  name,
  /** Prefixes; without an IPv4 one, a /24 of the default pool is chosen. */
  subnets: z.array(z.string(), { error: 'give a list of subnets such as 10.10.0.0/24' }).optional(),
  /** Each belongs to the subnet that contains it; a subnet without one gets its first address. */
  gateways: ipAddresses.optional(),
  /** Where addresses are chosen from, as prefixes; each belongs to the subnet that contains it. */
  ranges: z.array(z.string(), { error: 'give a list of ranges such as 10.10.10.0/24' }).optional(),
  ipv6: z.boolean({ error: 'give true or false' }).optional(),
  internal: z.boolean({ error: 'give true or false' }).optional(),
  mtu: z
    .int({ error: 'give a whole number of bytes' })
    .min(576, { error: 'an MTU is at least 576 (1280 with IPv6)' })
    .max(65535, { error: 'an MTU is at most 65535' })
    .optional(),
  vni: z
    .int({ error: 'give a whole number' })
    .min(1, { error: 'a VNI is from 1 to 16777215' })
    .max(0xffffff, { error: 'a VNI is from 1 to 16777215' })
    .optional(),
  labels: labels.optional(),
  options: z.record(z.string(), z.string(), { error: 'give options as {"key": "value"}' }).optional(),
});
export type NetworkCreateRequest = z.infer<typeof networkCreateSchema>;

export const attachSchema = z.strictObject({
  network: nameOrId,
  name,
  netns: netnsPath,
  /** Name of the interface inside the namespace; eth0 when left out. */
  ifname: z
    .string()
    .regex(ifnameRule, { error: 'give an interface name of 1 to 15 characters without spaces, "/" or ":"' })
    .optional(),
  ip: ipAddresses.optional(),
  mac: macAddress.optional(),
  aliases: z.array(name).optional(),
  labels: labels.optional(),
});
export type AttachRequest = z.infer<typeof attachSchema>;

const declaredSchema = z.strictObject({
  network: nameOrId,
  name,
  vtep: z.string({ error: "give the IP address of the peer's VTEP on the underlay" }).min(2, {
    error: "give the IP address of the peer's VTEP on the underlay",
  }),
  mac: macAddress,
  ip: ipAddresses,
  aliases: z.array(name).optional(),
  labels: labels.optional(),
});
/** One or many. Not a union: a union says nothing about which field is wrong. */
export const declareSchema = z.preprocess(
  (value) => (Array.isArray(value) ? value : [value]),
  z.array(declaredSchema).min(1, { error: 'give at least one endpoint' }),
);
/** An endpoint that no agent attaches: it lives behind a VTEP that speaks plain VXLAN. */
export type DeclareRequest = z.infer<typeof declaredSchema>;

export const leaveSchema = z.strictObject({
  /** Also with endpoints attached, and while etcd is away. */
  force: z.boolean({ error: 'give true or false' }).optional(),
});
export type LeaveRequest = z.infer<typeof leaveSchema>;

export const endpointQuerySchema = z.strictObject({ network: z.string().optional() });
export const mapQuerySchema = z.strictObject({
  vni: z.coerce.number({ error: 'give a number' }).int().min(0).max(0xffffff).optional(),
  mac: macAddress.optional(),
  ip: z.string().optional(),
});
export type MapQuery = z.infer<typeof mapQuerySchema>;

/** What every failed request is answered with. */
export interface ErrorAnswer {
  error: {
    code: string;
    message: string;
    /** What to do instead, when there is something. */
    hint?: string | undefined;
  };
}

export interface SubnetAnswer {
  subnet: string;
  gateway: string | null;
  range?: string | undefined;
}

export interface NodeAnswer {
  id: string;
  name: string;
  /** The node's address on the underlay. */
  vtep: string;
  /** ready: its lease is alive. down: it is not, which takes nothing out of the datapath. */
  state: 'ready' | 'down';
  /** True for the node that answers. */
  self: boolean;
  version: string;
  /** Null where the cluster has no members but nodes that were told of an etcd. */
  role: 'worker' | 'manager' | null;
  availability: 'active' | 'pause' | 'drain' | null;
  labels: Record<string, string>;
  createdAt: string;
}

export interface NetworkAnswer {
  id: string;
  name: string;
  vni: number;
  subnets: SubnetAnswer[];
  internal: boolean;
  /** IP MTU inside, in bytes, on the node that answers. */
  mtu: number;
  labels: Record<string, string>;
  options: Record<string, string>;
  createdAt: string;
  /** Whether the node that answers has an endpoint there, and so follows the network. */
  live: boolean;
}

export interface CountersAnswer {
  rxPackets: number;
  rxBytes: number;
  txPackets: number;
  txBytes: number;
  drops: number;
}

export interface EndpointAnswer {
  id: string;
  name: string;
  aliases: string[];
  network: { id: string; name: string; vni: number };
  /** null for a declared endpoint. */
  node: { id: string; name: string } | null;
  /** Underlay address behind which it is; null while its node is unknown. */
  vtep: string | null;
  mac: string;
  addresses: string[];
  labels: Record<string, string>;
  createdAt: string;
  /** Present when it is attached to the node that answers. */
  local?: {
    netns: string;
    ifname: string;
    /** The host's end of the veth pair. */
    hostIfname: string;
    hostIfindex: number;
    /** Present in answers about a single endpoint. */
    counters?: CountersAnswer;
  };
}

/** Answer to an attach, a declaration or a detach. Warnings are whole sentences for a person. */
export interface EndpointChangeAnswer {
  endpoint: EndpointAnswer;
  warnings: string[];
}

export interface RemovedAnswer {
  id: string;
  warnings: string[];
}

export interface DeclaredAnswer {
  endpoints: EndpointAnswer[];
  warnings: string[];
}

/** The agent ends when it has given this. Warnings are whole sentences for a person. */
export interface LeaveAnswer {
  node: { id: string; name: string };
  /** Names of the endpoints that were attached. */
  detached: string[];
  warnings: string[];
}

export interface MapAnswer {
  name: string;
  type: string;
  entries: number;
  /** null where the map's type has no meaningful limit. */
  maxEntries: number | null;
}

/** Rows are decoded: addresses, MACs and flags as text. */
export interface MapDumpAnswer {
  name: string;
  rows: Record<string, unknown>[];
}

export interface CounterAnswer {
  name: string;
  description: string;
  packets: number;
  bytes: number;
}

export interface DropsAnswer {
  /** Every reason, in the datapath's order, those never seen included. */
  drops: CounterAnswer[];
  /** Things counted that are not drops. */
  events: CounterAnswer[];
}

/** One line of /v1/drops/follow: a sampled drop. */
export interface DropAnswer {
  /** RFC 3339. */
  time: string;
  reason: string;
  description: string;
  hook: string;
  ifindex: number;
  ifname: string | null;
  vni: number;
  /** Bytes of the whole packet. */
  length: number;
  /** Its first bytes, in hexadecimal. */
  head: string;
  /** Addresses, protocol and ports, as far as those bytes go. */
  summary: string;
}

export interface DifferenceAnswer {
  table: string;
  key: string;
  problem: 'missing' | 'extra' | 'different';
  expected: string | null;
  actual: string | null;
}

export interface VerifyAnswer {
  /** Where the truth came from: a fresh list, or the last known state because etcd is away. */
  source: 'etcd' | 'snapshot';
  revision: string;
  /** Rows compared, by table. */
  checked: Record<string, number>;
  differences: DifferenceAnswer[];
  warnings: string[];
}

export interface StatusAnswer {
  node: { id: string; name: string; vtep: string };
  version: string;
  pid: number;
  uptimeSeconds: number;
  kernel: string;
  root: string | null;
  /** What probes found in this kernel, and which way the datapath takes because of it. */
  features: {
    found: Record<string, boolean>;
    paths: {
      attach: 'tcx' | 'clsact';
      otherFamily: 'one step' | 'two steps';
    };
  };
  /** What new endpoints' devices are, and why. */
  links: { kind: 'veth' | 'netkit'; reason: string };
  underlay: { device: string; mtu: number; port: number };
  /** XDP on that device: what was asked for, how it runs (null: not at all), and why it does not. */
  xdp: {
    option: 'auto' | 'native' | 'generic' | 'deliver' | 'off';
    mode: 'native' | 'generic' | null;
    reason: string | null;
  };
  etcd: {
    state: 'connected' | 'unreachable';
    endpoints: string[];
    /** RFC 3339; null: never since the agent started. */
    lastContact: string | null;
    revision: string | null;
    /** Why it is unreachable. */
    error: string | null;
  };
  nodes: { ready: number; down: number };
  networks: { total: number; live: number };
  /** local: attached here. known: on the networks that are live here. */
  endpoints: { local: number; known: number };
  maps: MapAnswer[];
  drops: number;
  /** Changes not yet in the maps, and writes that wait for etcd. */
  pending: { rows: number; writes: number };
  memory: { residentBytes: number };
  warnings: string[];
}
