/* The object's maps as typed tables, and what is beside them on this node. */
import { type BpfMap, type Codec, u32 } from 'libbpf-ts-bindings';
import { PlaitError } from '../model/errors.js';
import type { RowChanges } from '../model/rows.js';
import type { FloodLists } from './flood.js';
import { Generation } from './generation.js';
import {
  endpointShape,
  fdbShape,
  NO_NAMES,
  neighborShape,
  networkShape,
  type RowShape,
  rowText,
  senderShape,
  subnetShape,
} from './rows.js';
import { type RowMap, Table } from './table.js';
import {
  type Endpoint,
  endpointCodec,
  type FdbEntry,
  type FdbKey,
  fdbEntryCodec,
  fdbKeyCodec,
  type Neighbor,
  type NeighborKey,
  type Network,
  neighborCodec,
  neighborKeyCodec,
  networkCodec,
  type Sender,
  type SenderKey,
  type Subnet,
  type SubnetKey,
  senderCodec,
  senderKeyCodec,
  subnetCodec,
  subnetKeyCodec,
} from './types.gen.js';

/** Those whose rows the programs remember (bpf/lib/recent.h). */
const REMEMBERED: ReadonlySet<string> = new Set(['endpoints', 'fdb', 'senders']);

/** The maps that are tables of rows, by their names in the object. */
export interface Tables {
  /** By the ifindex of the host end. */
  readonly endpoints: Table<number, Endpoint>;
  readonly fdb: Table<FdbKey, FdbEntry>;
  readonly neighbors: Table<NeighborKey, Neighbor>;
  /** By VNI. */
  readonly networks: Table<number, Network>;
  readonly subnets: Table<SubnetKey, Subnet>;
  readonly senders: Table<SenderKey, Sender>;
}

export type MapLookup = (name: string) => BpfMap;

/** For maps by name; NO_MAP for a name that the object does not have. */
export function lookupIn(maps: ReadonlyMap<string, BpfMap>): MapLookup {
  return (name) => {
    const map = maps.get(name);
    if (map) return map;
    throw new PlaitError('NO_MAP', `find map ${name}: no such map`, {
      hint: `there are ${[...maps.keys()].join(', ')}`,
    });
  };
}

/** What the programs remember from the maps that were there before is forgotten. */
export function openTables(map: MapLookup): Tables {
  const generation = new Generation(map('generation'));
  generation.raise();
  return tablesOver((name) => (REMEMBERED.has(name) ? generation.over(map(name)) : map(name)));
}

export function tablesOver(map: (name: keyof Tables) => RowMap): Tables {
  const open = <K, V>(
    name: keyof Tables,
    key: Codec<K>,
    value: Codec<V>,
    shape: RowShape<K, V>,
  ): Table<K, V> =>
    new Table(name, map(name), key, value, {
      key: (row) => rowText(shape.key(row, NO_NAMES)),
      value: (row) => rowText(shape.value(row, NO_NAMES)),
    });
  return {
    endpoints: open('endpoints', u32, endpointCodec, endpointShape),
    fdb: open('fdb', fdbKeyCodec, fdbEntryCodec, fdbShape),
    neighbors: open('neighbors', neighborKeyCodec, neighborCodec, neighborShape),
    networks: open('networks', u32, networkCodec, networkShape),
    subnets: open('subnets', subnetKeyCodec, subnetCodec, subnetShape),
    senders: open('senders', senderKeyCodec, senderCodec, senderShape),
  };
}

/** What a row refers to is written before it: a frame that finds its MAC finds the rest too. */
export function applyChanges(tables: Tables, flood: Pick<FloodLists, 'apply'>, changes: RowChanges): void {
  tables.networks.apply(changes.networks.upserts, changes.networks.deletes);
  tables.endpoints.apply(changes.endpoints.upserts, changes.endpoints.deletes);
  tables.neighbors.apply(changes.neighbors.upserts, changes.neighbors.deletes);
  tables.senders.apply(changes.senders.upserts, changes.senders.deletes);
  tables.fdb.apply(changes.fdb.upserts, changes.fdb.deletes);
  tables.subnets.apply(changes.subnets.upserts, changes.subnets.deletes);
  flood.apply(changes.flood.upserts, changes.flood.deletes);
}
