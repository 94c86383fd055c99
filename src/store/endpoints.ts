/**
 * Endpoints. One transaction makes an endpoint together with the keys of its addresses and its MAC, one takes
 * them all away: whatever crashes in between, no address has two holders and none is held by nobody.
 */
import type { ICompare, IRequestOp } from 'etcd3';
import { draftEndpoint, type EndpointDraft, NetworkPools } from '../ipam/endpointPlan.js';
import { randomMac } from '../model/addresses.js';
import { AddressTaken, MacTaken, NotFound, RangeFull, StoreConflict } from '../model/errors.js';
import type { EndpointInput } from '../model/inputs.js';
import { type Description, type Endpoint, type Network, randomId } from '../model/records.js';
import { changeEntry } from './change.js';
import {
  addressesOf,
  addressKey,
  ENDPOINTS,
  endpointKey,
  endpointsOf,
  lastPart,
  macKey,
  networkKey,
} from './keys.js';
import { absent, get, holds, present, put, remove, removeIf } from './operations.js';
import { parseAll, parseEndpoint } from './parse.js';
import type { Store } from './store.js';
import type { ClusterAccess, Holding, Placement } from './writes.js';

/** Others win a race at most that often before we say so; each time somebody makes progress. */
const ATTEMPTS = 200;
/** From here on contenders spread over the next free addresses instead of all taking the lowest. */
const POLITE_ATTEMPTS = 3;

/** Of one network, or of all. */
export async function listEndpoints(store: Store, network?: string): Promise<Endpoint[]> {
  const { entries } = await store.list(network === undefined ? ENDPOINTS : endpointsOf(network));
  return parseAll(entries, parseEndpoint).records;
}

/** The record, if there is one that can be read. */
export async function getEndpoint(
  store: Store,
  where: Pick<Endpoint, 'network' | 'node' | 'id'>,
): Promise<Endpoint | undefined> {
  const entry = await store.get(endpointKey(where));
  return parseAll(entry === undefined ? [] : [entry], parseEndpoint).records[0];
}

/** Runs before an endpoint is written, and again with other addresses if somebody else took those first. */
export type Prepare = (endpoint: Endpoint) => Promise<void>;

/**
 * Creates an endpoint. `known` are addresses believed to be taken, if the caller follows the network; it saves a
 * list and need not be right. Throws InvalidInput, NotFound (the network), AddressTaken, MacTaken, RangeFull,
 * StoreConflict.
 */
export async function createEndpoint(
  cluster: ClusterAccess,
  network: Network,
  input: EndpointInput,
  known?: Iterable<string>,
  prepare?: Prepare,
): Promise<Endpoint> {
  const identity = { id: input.id ?? randomId(), createdAt: new Date().toISOString() };
  return placeEndpoint(cluster, network, draftEndpoint(network, input, identity), known, prepare);
}

/** Creates what was drafted, with addresses chosen until some are free. */
export async function placeEndpoint(
  cluster: ClusterAccess,
  network: Network,
  draft: EndpointDraft,
  known?: Iterable<string>,
  prepare?: Prepare,
): Promise<Endpoint> {
  const { store, writes } = cluster;
  let current = draft;
  let taken = known && new Set(known);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const isFresh = taken === undefined;
    taken ??= await takenAddresses(store, network.id);
    const endpoint = choose(network, current, taken, attempt);
    if (endpoint instanceof RangeFull) {
      if (isFresh && (await writes.collectOrphans(network.id)).addresses.length === 0) throw endpoint;
      taken = undefined;
      continue;
    }
    await prepare?.(endpoint);
    const outcome = await writes.placeEndpoints([endpoint]);
    if ('placed' in outcome) return outcome.placed[0] ?? endpoint;
    if ('missing' in outcome) throw new NotFound('network', network.name);
    const conflict = new Map(Object.entries(outcome.taken));
    await explain(cluster, network, current, conflict);
    if (conflict.has(endpoint.mac))
      current = { ...current, hasMacOfAddress: false, endpoint: { ...current.endpoint, mac: randomMac() } };
    taken = attempt < POLITE_ATTEMPTS ? new Set([...taken, ...conflict.keys()]) : undefined;
  }
  throw new StoreConflict(`create endpoint ${draft.endpoint.name}: others take every address first`);
}

function choose(
  network: Network,
  draft: EndpointDraft,
  taken: Set<string>,
  attempt: number,
): Endpoint | RangeFull {
  const pools = new NetworkPools(network, taken);
  let skip = attempt < POLITE_ATTEMPTS ? 0 : Math.floor(Math.random() * attempt);
  let endpoint: Endpoint | undefined;
  try {
    do endpoint = pools.complete(draft);
    while (skip-- > 0);
  } catch (error) {
    if (!(error instanceof RangeFull)) throw error;
    return endpoint ?? error;
  }
  return endpoint;
}

async function takenAddresses(store: Store, network: string): Promise<Set<string>> {
  const { entries } = await store.list(addressesOf(network), { keysOnly: true });
  return new Set(entries.map((entry) => lastPart(entry.key)));
}

/** How many operations it takes to write the endpoint. */
export function sizeOf(endpoint: Endpoint): number {
  return creation(endpoint).success.length;
}

/** What must hold, and what is written, for the endpoint to exist. Also needed: its network. */
function creation(endpoint: Endpoint): { compare: ICompare[]; success: IRequestOp[] } {
  const key = endpointKey(endpoint);
  const held = heldBy(endpoint);
  return {
    compare: [key, ...held].map(absent),
    success: [put(key, JSON.stringify(endpoint)), ...held.map((heldKey) => put(heldKey, endpoint.id))],
  };
}

/** Keys of its addresses and its MAC. */
function heldBy({ network, addresses, mac }: Holding): string[] {
  return [...addresses.map((address) => addressKey(network, address)), macKey(network, mac)];
}

/** One attempt, in one transaction. All endpoints are of one network. */
export async function placeEndpoints(store: Store, endpoints: readonly Endpoint[]): Promise<Placement> {
  const [first] = endpoints;
  if (first === undefined) return { placed: [] };
  const network = networkKey(first.network);
  const parts = endpoints.map(creation);
  const written = endpoints.flatMap((endpoint) => [endpointKey(endpoint), ...heldBy(endpoint)]);
  const result = await store.txn(
    [present(network), ...parts.flatMap(({ compare }) => compare)],
    parts.flatMap(({ success }) => success),
    [network, ...written].map(get),
  );
  if (result.succeeded) return { placed: [...endpoints] };
  const found = new Map<string, string>();
  for (const { response_range } of result.responses) {
    for (const { key, value } of response_range.kvs) found.set(key.toString(), value.toString());
  }
  const earlier = placedBefore(endpoints, found);
  if (earlier !== undefined) return { placed: earlier };
  if (!found.delete(network)) return { missing: 'network' };
  return { taken: Object.fromEntries([...found].map(([key, holder]) => [lastPart(key), holder])) };
}

/** Their records, if this is the repetition of a transaction that was done although its answer got lost. */
function placedBefore(
  endpoints: readonly Endpoint[],
  found: ReadonlyMap<string, string>,
): Endpoint[] | undefined {
  const records: Endpoint[] = [];
  for (const key of endpoints.map(endpointKey)) {
    const value = found.get(key);
    if (value === undefined) return undefined;
    records.push(parseEndpoint({ key, value }));
  }
  return records;
}

/** Throws if the conflict is about something that was asked for, unless its holder does not exist any more. */
async function explain(
  { store, writes }: ClusterAccess,
  network: Network,
  draft: EndpointDraft,
  conflict: ReadonlyMap<string, string>,
): Promise<void> {
  const { endpoint, isMacRequested } = draft;
  for (const [value, holder] of conflict) {
    const isMac = value === endpoint.mac;
    if (isMac ? !isMacRequested : !endpoint.addresses.includes(value)) continue;
    const endpoints = await listEndpoints(store, network.id);
    const name = endpoints.find((other) => other.id === holder)?.name;
    if (name === undefined) {
      await writes.collectOrphans(network.id);
      continue;
    }
    if (isMac) throw new MacTaken(value, network.name, `endpoint ${name}`);
    throw new AddressTaken(value, network.name, `endpoint ${name}`);
  }
}

/** What an endpoint is called can change, as long as it exists. False if the endpoint is not there. Throws StoreConflict. */
export async function describeEndpoint(
  store: Store,
  where: Pick<Endpoint, 'network' | 'node' | 'id'>,
  { name, aliases }: Description,
): Promise<boolean> {
  const rename = (before: Endpoint): Endpoint => ({ ...before, name, aliases });
  const key = endpointKey(where);
  const after = await changeEntry(store, key, parseEndpoint, rename, `name endpoint ${name}`);
  return after !== undefined;
}

/** Removes the endpoint and gives back what it holds. False if it was not there. */
export async function deleteEndpoint(store: Store, endpoint: Holding): Promise<boolean> {
  const { responses } = await store.txn([], deletion(endpoint));
  return responses[0]?.response_delete_range.deleted === '1';
}

/** What a deletion does; keys that have another holder by now are left to it. */
export function deletion(endpoint: Holding): IRequestOp[] {
  const gifts = heldBy(endpoint).map((key) => removeIf(holds(key, endpoint.id), key));
  return [remove(endpointKey(endpoint)), ...gifts];
}
