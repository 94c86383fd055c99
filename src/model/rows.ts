/**
 * Rows of the maps that follow from cluster state, with the shapes that the generated codecs of
 * src/datapath/types.gen.ts read and write. `__be32` are plain numbers here (10.0.0.1 is 0x0a000001): the
 * codecs mind the byte order. vteps are not here: they also depend on the host's routing table.
 */
import type { Addr } from './addresses.js';

/** enum endpoint_flags of bpf/lib/types.h. */
export const ENDPOINT_INTERNAL = 1;
export const ENDPOINT_TAKES_XDP = 2;

export interface FdbKey {
  vni: number;
  mac: Uint8Array;
}

/** ifindex is 0 for a VTEP; slot is then its index in `vteps`. */
export interface FdbEntry {
  ifindex: number;
  slot: number;
}

export interface NeighborKey {
  vni: number;
  addr: Addr;
}

export interface Neighbor {
  mac: Uint8Array;
}

export interface EndpointRow {
  vni: number;
  slot: number;
  flags: number;
  mtu: number;
  mac: Uint8Array;
  ip4: number;
  ip6: Addr;
  linkLocal: Addr;
}

export interface NetworkRow {
  flags: number;
  mtu: number;
  gateway4: Addr;
  gateway6: Addr;
}

/** prefixLen counts in 128 bits also for IPv4. */
export interface SubnetKey {
  prefixLen: number;
  addr: Addr;
}

export interface SubnetRow {
  vni: number;
}

export interface SenderKey {
  vni: number;
  addr: Addr;
}

export interface Sender {
  vtep: number;
}

export interface FloodMember {
  ifindex: number;
  slot: number;
}

/** Key and value type of each table. */
export interface TableTypes {
  fdb: [FdbKey, FdbEntry];
  neighbors: [NeighborKey, Neighbor];
  endpoints: [number, EndpointRow];
  networks: [number, NetworkRow];
  subnets: [SubnetKey, SubnetRow];
  senders: [SenderKey, Sender];
  flood: [number, FloodMember[]];
}

export type TableName = keyof TableTypes;

export const TABLE_NAMES = [
  'fdb',
  'neighbors',
  'endpoints',
  'networks',
  'subnets',
  'senders',
  'flood',
] as const satisfies readonly TableName[];

export interface TableChanges<K, V> {
  upserts: [K, V][];
  deletes: K[];
}

export type RowChanges = { [T in TableName]: TableChanges<TableTypes[T][0], TableTypes[T][1]> };

/** A container interface that exists on this node. */
export interface Attachment {
  /** Of the host end of its veth. */
  readonly ifindex: number;
  /** In endpoint_counters. */
  readonly slot: number;
  /** The container's end takes frames without an skb; no when left out. */
  readonly takesXdp?: boolean;
}
