// Generated from the BTF of plait.bpf.o by libbpf-ts-gen. Do not edit: change the C types, build the
// object and generate again.
import { type Codec, array, be32, bytes, struct, u16, u32, u64 } from 'libbpf-ts-bindings';

/** enum drop_reason, names without DROP_. */
export const DropReason = {
  NONE: 0,
  TRUNCATED: 1,
  UNKNOWN_ENDPOINT: 2,
  SPOOFED_MAC: 3,
  SPOOFED_IP: 4,
  SPOOFED_ARP: 5,
  FORBIDDEN_ND: 6,
  VLAN: 7,
  INTERNAL: 8,
  TOO_BIG: 9,
  TOO_BIG_ANSWERED: 10,
  BAD_VXLAN: 11,
  UNKNOWN_VNI: 12,
  UNLISTED_SENDER: 13,
  UNKNOWN_MAC: 14,
  NO_VTEP: 15,
  ENCAP_FAILED: 16,
  DECAP_FAILED: 17,
  ECN: 18,
  HOST_UNROUTED: 19,
  HOST_REMOTE: 20,
  NO_MEMBERS: 21,
  NOT_IP: 22,
} as const;

export type DropReason = (typeof DropReason)[keyof typeof DropReason];

/** Names by value. */
export const dropReasonNames: readonly string[] = [
  'NONE',
  'TRUNCATED',
  'UNKNOWN_ENDPOINT',
  'SPOOFED_MAC',
  'SPOOFED_IP',
  'SPOOFED_ARP',
  'FORBIDDEN_ND',
  'VLAN',
  'INTERNAL',
  'TOO_BIG',
  'TOO_BIG_ANSWERED',
  'BAD_VXLAN',
  'UNKNOWN_VNI',
  'UNLISTED_SENDER',
  'UNKNOWN_MAC',
  'NO_VTEP',
  'ENCAP_FAILED',
  'DECAP_FAILED',
  'ECN',
  'HOST_UNROUTED',
  'HOST_REMOTE',
  'NO_MEMBERS',
  'NOT_IP',
];

/** DROP_REASONS */
export const dropReasonCount = 23;

/** enum event, names without EVENT_. */
export const Event = {
  LOCAL_DELIVERED: 0,
  REMOTE_SENT: 1,
  REMOTE_RECEIVED: 2,
  GATEWAY: 3,
  FROM_HOST: 4,
  ARP_ANSWERED: 5,
  ND_ANSWERED: 6,
  FLOODED: 7,
  SLOW_SENT: 8,
  SLOW_RECEIVED: 9,
  HOST_MULTICAST: 10,
  FILTERED: 11,
  XDP_DELIVERED: 12,
} as const;

export type Event = (typeof Event)[keyof typeof Event];

/** Names by value. */
export const eventNames: readonly string[] = [
  'LOCAL_DELIVERED',
  'REMOTE_SENT',
  'REMOTE_RECEIVED',
  'GATEWAY',
  'FROM_HOST',
  'ARP_ANSWERED',
  'ND_ANSWERED',
  'FLOODED',
  'SLOW_SENT',
  'SLOW_RECEIVED',
  'HOST_MULTICAST',
  'FILTERED',
  'XDP_DELIVERED',
];

/** EVENTS */
export const eventCount = 13;

/** enum endpoint_flags, names without ENDPOINT_. */
export const EndpointFlags = {
  INTERNAL: 1,
  TAKES_XDP: 2,
} as const;

export type EndpointFlags = (typeof EndpointFlags)[keyof typeof EndpointFlags];

/** Names in the order of declaration; the values have gaps. */
export const endpointFlagsNames: readonly string[] = [
  'INTERNAL',
  'TAKES_XDP',
];

/** enum vtep_flags, names without VTEP_. */
export const VtepFlags = {
  VALID: 1,
  IPV6: 2,
} as const;

export type VtepFlags = (typeof VtepFlags)[keyof typeof VtepFlags];

/** Names in the order of declaration; the values have gaps. */
export const vtepFlagsNames: readonly string[] = [
  'VALID',
  'IPV6',
];

/** enum hook, names without HOOK_. */
export const Hook = {
  FROM_CONTAINER: 0,
  FROM_UNDERLAY: 1,
  FROM_HOST: 2,
  FROM_VXLAN: 3,
  UNDERLAY_FILTER: 4,
  UNDERLAY_DELIVER: 5,
} as const;

export type Hook = (typeof Hook)[keyof typeof Hook];

/** Names by value. */
export const hookNames: readonly string[] = [
  'FROM_CONTAINER',
  'FROM_UNDERLAY',
  'FROM_HOST',
  'FROM_VXLAN',
  'UNDERLAY_FILTER',
  'UNDERLAY_DELIVER',
];

/** struct counter, 16 bytes. */
export interface Counter {
  packets: bigint;
  bytes: bigint;
}

export const counterCodec: Codec<Counter> = struct<Counter>(16, [
  ['packets', 0, u64],
  ['bytes', 8, u64],
]);

/** struct traffic, 48 bytes. */
export interface Traffic {
  rxPackets: bigint;
  rxBytes: bigint;
  txPackets: bigint;
  txBytes: bigint;
  drops: bigint;
  outerId: bigint;
}

export const trafficCodec: Codec<Traffic> = struct<Traffic>(48, [
  ['rxPackets', 0, u64],
  ['rxBytes', 8, u64],
  ['txPackets', 16, u64],
  ['txBytes', 24, u64],
  ['drops', 32, u64],
  ['outerId', 40, u64],
]);

/** struct addr, 16 bytes. */
export interface Addr {
  w: number[];
}

export const addrCodec: Codec<Addr> = struct<Addr>(16, [
  ['w', 0, array(be32, 4)],
]);

/** struct endpoint, 56 bytes. */
export interface Endpoint {
  vni: number;
  slot: number;
  flags: number;
  mtu: number;
  mac: Uint8Array;
  ip4: number;
  ip6: Addr;
  linkLocal: Addr;
}

export const endpointCodec: Codec<Endpoint> = struct<Endpoint>(56, [
  ['vni', 0, u32],
  ['slot', 4, u32],
  ['flags', 8, u32],
  ['mtu', 12, u16],
  ['mac', 14, bytes(6)],
  ['ip4', 20, be32],
  ['ip6', 24, addrCodec],
  ['linkLocal', 40, addrCodec],
]);

/** struct fdb_key, 12 bytes. */
export interface FdbKey {
  vni: number;
  mac: Uint8Array;
}

export const fdbKeyCodec: Codec<FdbKey> = struct<FdbKey>(12, [
  ['vni', 0, u32],
  ['mac', 4, bytes(6)],
]);

/** struct fdb_entry, 8 bytes. */
export interface FdbEntry {
  ifindex: number;
  slot: number;
}

export const fdbEntryCodec: Codec<FdbEntry> = struct<FdbEntry>(8, [
  ['ifindex', 0, u32],
  ['slot', 4, u32],
]);

/** struct neighbor_key, 20 bytes. */
export interface NeighborKey {
  vni: number;
  addr: Addr;
}

export const neighborKeyCodec: Codec<NeighborKey> = struct<NeighborKey>(20, [
  ['vni', 0, u32],
  ['addr', 4, addrCodec],
]);

/** struct neighbor, 8 bytes. */
export interface Neighbor {
  mac: Uint8Array;
}

export const neighborCodec: Codec<Neighbor> = struct<Neighbor>(8, [
  ['mac', 0, bytes(6)],
]);

/** struct network, 40 bytes. */
export interface Network {
  flags: number;
  mtu: number;
  gateway4: Addr;
  gateway6: Addr;
}

export const networkCodec: Codec<Network> = struct<Network>(40, [
  ['flags', 0, u32],
  ['mtu', 4, u32],
  ['gateway4', 8, addrCodec],
  ['gateway6', 24, addrCodec],
]);

/** struct recent_endpoint, 72 bytes. */
export interface RecentEndpoint {
  generation: bigint;
  ifindex: number;
  endpoint: Endpoint;
}

export const recentEndpointCodec: Codec<RecentEndpoint> = struct<RecentEndpoint>(72, [
  ['generation', 0, u64],
  ['ifindex', 8, u32],
  ['endpoint', 12, endpointCodec],
]);

/** struct recent_mac, 32 bytes. */
export interface RecentMac {
  generation: bigint;
  key: FdbKey;
  entry: FdbEntry;
}

export const recentMacCodec: Codec<RecentMac> = struct<RecentMac>(32, [
  ['generation', 0, u64],
  ['key', 8, fdbKeyCodec],
  ['entry', 20, fdbEntryCodec],
]);

/** struct sender_key, 20 bytes. */
export interface SenderKey {
  vni: number;
  addr: Addr;
}

export const senderKeyCodec: Codec<SenderKey> = struct<SenderKey>(20, [
  ['vni', 0, u32],
  ['addr', 4, addrCodec],
]);

/** struct sender, 4 bytes. */
export interface Sender {
  vtep: number;
}

export const senderCodec: Codec<Sender> = struct<Sender>(4, [
  ['vtep', 0, u32],
]);

/** struct recent_sender, 32 bytes. */
export interface RecentSender {
  generation: bigint;
  key: SenderKey;
  sender: Sender;
}

export const recentSenderCodec: Codec<RecentSender> = struct<RecentSender>(32, [
  ['generation', 0, u64],
  ['key', 8, senderKeyCodec],
  ['sender', 28, senderCodec],
]);

/** struct sample_budget, 24 bytes. */
export interface SampleBudget {
  second: bigint;
  used: bigint;
  tick: bigint;
}

export const sampleBudgetCodec: Codec<SampleBudget> = struct<SampleBudget>(24, [
  ['second', 0, u64],
  ['used', 8, u64],
  ['tick', 16, u64],
]);

/** struct subnet_key, 20 bytes. */
export interface SubnetKey {
  prefixLen: number;
  addr: Addr;
}

export const subnetKeyCodec: Codec<SubnetKey> = struct<SubnetKey>(20, [
  ['prefixLen', 0, u32],
  ['addr', 4, addrCodec],
]);

/** struct subnet, 4 bytes. */
export interface Subnet {
  vni: number;
}

export const subnetCodec: Codec<Subnet> = struct<Subnet>(4, [
  ['vni', 0, u32],
]);

/** struct underlay_device, 8 bytes. */
export interface UnderlayDevice {
  mac: Uint8Array;
}

export const underlayDeviceCodec: Codec<UnderlayDevice> = struct<UnderlayDevice>(8, [
  ['mac', 0, bytes(6)],
]);

/** struct vtep, 64 bytes. */
export interface Vtep {
  flags: number;
  ifindex: number;
  mtu: number;
  remote: Addr;
  local: Addr;
  nextHop: Addr;
}

export const vtepCodec: Codec<Vtep> = struct<Vtep>(64, [
  ['flags', 0, u32],
  ['ifindex', 4, u32],
  ['mtu', 8, u32],
  ['remote', 16, addrCodec],
  ['local', 32, addrCodec],
  ['nextHop', 48, addrCodec],
]);

/** struct drop_event, 128 bytes. */
export interface DropEvent {
  timeNs: bigint;
  reason: number;
  hook: number;
  ifindex: number;
  vni: number;
  len: number;
  captured: number;
  head: Uint8Array;
}

export const dropEventCodec: Codec<DropEvent> = struct<DropEvent>(128, [
  ['timeNs', 0, u64],
  ['reason', 8, u32],
  ['hook', 12, u32],
  ['ifindex', 16, u32],
  ['vni', 20, u32],
  ['len', 24, u32],
  ['captured', 28, u32],
  ['head', 32, bytes(96)],
]);

/** struct flood_member, 8 bytes. */
export interface FloodMember {
  ifindex: number;
  slot: number;
}

export const floodMemberCodec: Codec<FloodMember> = struct<FloodMember>(8, [
  ['ifindex', 0, u32],
  ['slot', 4, u32],
]);

/** Codecs of the maps, by name; inner: of the maps inside. */
export const mapCodecs = {
  drops: { key: u32, value: counterCodec },
  endpoint_counters: { key: u32, value: trafficCodec },
  endpoints: { key: u32, value: endpointCodec },
  events: { key: u32, value: counterCodec },
  fdb: { key: fdbKeyCodec, value: fdbEntryCodec },
  flood: { key: u32 },
  generation: { key: u32, value: u64 },
  neighbors: { key: neighborKeyCodec, value: neighborCodec },
  networks: { key: u32, value: networkCodec },
  recent_endpoints: { key: u32, value: recentEndpointCodec },
  recent_macs: { key: u32, value: recentMacCodec },
  recent_senders: { key: u32, value: recentSenderCodec },
  sample_budgets: { key: u32, value: sampleBudgetCodec },
  senders: { key: senderKeyCodec, value: senderCodec },
  subnets: { key: subnetKeyCodec, value: subnetCodec },
  underlay_device: { key: u32, value: underlayDeviceCodec },
  vtep_counters: { key: u32, value: trafficCodec },
  vteps: { key: u32, value: vtepCodec },
} as const;
