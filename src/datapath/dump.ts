/*
 * The contents of any map, read from the kernel at that moment and decoded for people. Rows of arrays that nobody
 * holds are left out.
 */
import { BpfMap, type Codec, u32 } from 'libbpf-ts-bindings';
import { canonicalIp } from '../model/addresses.js';
import type { MapQuery } from '../model/api.js';
import { InvalidInput } from '../model/errors.js';
import { readCount, readTraffic } from './counters.js';
import { DROP_NAMES, EVENT_NAMES } from './reasons.js';
import {
  endpointShape,
  fdbShape,
  floodShape,
  type Names,
  neighborShape,
  networkShape,
  type Row,
  type RowShape,
  senderShape,
  subnetShape,
  underlayDeviceShape,
  vtepRow,
} from './rows.js';
import {
  endpointCodec,
  fdbEntryCodec,
  fdbKeyCodec,
  floodMemberCodec,
  neighborCodec,
  neighborKeyCodec,
  networkCodec,
  senderCodec,
  senderKeyCodec,
  subnetCodec,
  subnetKeyCodec,
  underlayDeviceCodec,
  vtepCodec,
} from './types.gen.js';

/** What a dump may need to know beside the map. */
export interface DumpContext extends Names {
  /** Slots of endpoint_counters in use → ifindex of the endpoint. */
  readonly endpointSlots: ReadonlyMap<number, number>;
  /** Indexes of vteps in use. */
  readonly vtepIndexes: readonly number[];
}

type Dumper = (map: BpfMap, context: DumpContext) => Row[];

const DUMPERS: Readonly<Record<string, Dumper>> = {
  endpoints: rows(u32, endpointCodec, endpointShape),
  fdb: rows(fdbKeyCodec, fdbEntryCodec, fdbShape),
  neighbors: rows(neighborKeyCodec, neighborCodec, neighborShape),
  networks: rows(u32, networkCodec, networkShape),
  subnets: rows(subnetKeyCodec, subnetCodec, subnetShape),
  senders: rows(senderKeyCodec, senderCodec, senderShape),
  vteps: (map, context) =>
    context.vtepIndexes.map((index) => {
      const bytes = map.lookup(u32.encode(index)) ?? Buffer.alloc(vtepCodec.size);
      return vtepRow(index, vtepCodec.decode(bytes), context);
    }),
  flood: floodRows,
  underlay_device: rows(u32, underlayDeviceCodec, underlayDeviceShape),
  endpoint_counters: (map, context) =>
    [...context.endpointSlots].map(([slot, ifindex]) => ({
      ifindex,
      ifname: context.device(ifindex),
      slot,
      ...readTraffic(map, slot),
    })),
  vtep_counters: (map, context) =>
    context.vtepIndexes.map((index) => ({
      vtepIndex: index,
      vtep: context.vtep(index),
      ...readTraffic(map, index),
    })),
  drops: (map) => DROP_NAMES.map((reason, slot) => ({ reason, ...readCount(map, slot) })).slice(1),
  events: (map) => EVENT_NAMES.map((event, slot) => ({ event, ...readCount(map, slot) })),
};

/** Decoded rows that match every part of the filter. A part that no row of the map could match is an error. */
export function dumpMap(map: BpfMap, name: string, context: DumpContext, filter: MapQuery = {}): Row[] {
  const dump = DUMPERS[name];
  if (!dump) {
    throw new InvalidInput(
      `dump map ${name}: its contents are not rows`,
      `dump one of ${Object.keys(DUMPERS).join(', ')}`,
    );
  }
  const all = dump(map, context);
  return all.filter(matcher(name, filter, all));
}

const IP_FIELDS = ['ip', 'ip4', 'ip6', 'linkLocal', 'gateway4', 'gateway6', 'vtep', 'local', 'nextHop'];

function matcher(name: string, { vni, mac, ip }: MapQuery, all: readonly Row[]): (row: Row) => boolean {
  const has = (fields: readonly string[]): boolean =>
    all.length === 0 || all.some((row) => fields.some((field) => field in row));
  if (vni !== undefined && !has(['vni'])) throw unfit(name, 'VNI');
  if (mac !== undefined && !has(['mac'])) throw unfit(name, 'MAC');
  if (ip !== undefined && !has(IP_FIELDS)) throw unfit(name, 'address');
  const wantedMac = mac?.toLowerCase();
  const wantedIp = ip === undefined ? undefined : canonicalIp(ip);
  return (row) =>
    (vni === undefined || row.vni === vni) &&
    (wantedMac === undefined || row.mac === wantedMac) &&
    (wantedIp === undefined || IP_FIELDS.some((field) => row[field] === wantedIp));
}

function unfit(name: string, what: string): InvalidInput {
  return new InvalidInput(`filter map ${name}: its rows have no ${what}`);
}

function rows<K, V>(key: Codec<K>, value: Codec<V>, shape: RowShape<K, V>): Dumper {
  return (map, names) => {
    const all = map.lookupAll();
    return Array.from({ length: all.count }, (_, at) => ({
      ...shape.key(key.decode(all.keys, at * key.size), names),
      ...shape.value(value.decode(all.values, at * value.size), names),
    }));
  };
}

/** One row for each member. */
function floodRows(outer: BpfMap, names: Names): Row[] {
  const lists = outer.lookupAll();
  return Array.from({ length: lists.count }, (_, at) => {
    const key = floodShape.key(u32.decode(lists.keys, at * u32.size), names);
    return membersOf(u32.decode(lists.values, at * u32.size)).map((member) => ({
      ...key,
      ...floodShape.value(member, names),
    }));
  }).flat();
}

function membersOf(innerId: number) {
  const inner = BpfMap.fromId(innerId);
  try {
    const { values, count } = inner.lookupAll();
    const places = Array.from({ length: count }, (_, at) =>
      floodMemberCodec.decode(values, at * floodMemberCodec.size),
    );
    return places.filter(({ ifindex, slot }) => ifindex !== 0 || slot !== 0);
  } finally {
    inner.close();
  }
}
