/** Many endpoints at once, for declared peers: as few transactions as etcd's limit of operations allows. */
import { draftEndpoint, type EndpointDraft, NetworkPools } from '../ipam/endpointPlan.js';
import { AddressTaken, MacTaken } from '../model/errors.js';
import type { EndpointInput } from '../model/inputs.js';
import { type Endpoint, type Network, randomId } from '../model/records.js';
import { deletion, placeEndpoint, sizeOf } from './endpoints.js';
import { addressesOf, lastPart } from './keys.js';
import { MAX_TXN_OPS } from './operations.js';
import type { Store } from './store.js';
import type { ClusterAccess, Holding } from './writes.js';

const PARALLEL = 4;
/** One comparison is for the network. */
const MAX_BATCH_OPS = MAX_TXN_OPS - 1;

interface Planned {
  readonly draft: EndpointDraft;
  readonly endpoint: Endpoint;
}

/**
 * Creates all endpoints, or none: what was created is removed again if one cannot be. (Not one transaction;
 * others see them come one batch after the other.) Throws as createEndpoint does.
 */
export async function createEndpoints(
  cluster: ClusterAccess,
  network: Network,
  inputs: readonly EndpointInput[],
): Promise<Endpoint[]> {
  const createdAt = new Date().toISOString();
  const drafts = inputs.map((input) =>
    draftEndpoint(network, input, { id: input.id ?? randomId(), createdAt }),
  );
  checkDistinct(network, drafts);
  const batches = batchesOf(await plan(cluster.store, network, drafts));
  const created: Endpoint[][] = batches.map((batch) => batch.map(({ endpoint }) => endpoint));
  let started = 0;
  try {
    await inParallel(batches, async (batch, at) => {
      started = at + 1;
      created[at] = await createBatch(cluster, network, batch);
    });
    return created.flat();
  } catch (error) {
    // Those of a batch whose answer got lost may exist too. Removing what does not exist is harmless.
    await cluster.writes.removeEndpoints(created.slice(0, started).flat());
    throw error;
  }
}

/** Removes them all, in as few transactions as fit. */
export async function deleteEndpoints(store: Store, endpoints: readonly Holding[]): Promise<void> {
  const ops = endpoints.map(deletion);
  for (const batch of packed(ops, (op) => op.length)) await store.txn([], batch.flat());
}

/** Works on all items, a few at a time. After a failure no other one is begun; rejects when all have ended. */
async function inParallel<T>(
  items: readonly T[],
  work: (item: T, at: number) => Promise<void>,
): Promise<void> {
  const queue = items.entries();
  let failed = false;
  const worker = async (): Promise<void> => {
    for (const [at, item] of queue) {
      if (failed) return;
      await work(item, at).catch((error: unknown) => {
        failed = true;
        throw error;
      });
    }
  };
  const outcomes = await Promise.allSettled(Array.from({ length: PARALLEL }, worker));
  const failure = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failure) throw failure.reason;
}

/** etcd refuses a transaction that writes a key twice; tell what it is about. */
function checkDistinct(network: Network, drafts: readonly EndpointDraft[]): void {
  const seen = new Map<string, string>();
  for (const { endpoint } of drafts) {
    for (const address of endpoint.addresses) {
      const holder = seen.get(address);
      if (holder !== undefined)
        throw new AddressTaken(address, network.name, `endpoint ${holder} of the same request`);
      seen.set(address, endpoint.name);
    }
    const holder = seen.get(endpoint.mac);
    if (holder !== undefined)
      throw new MacTaken(endpoint.mac, network.name, `endpoint ${holder} of the same request`);
    seen.set(endpoint.mac, endpoint.name);
  }
}

async function plan(store: Store, network: Network, drafts: readonly EndpointDraft[]): Promise<Planned[]> {
  const { entries } = await store.list(addressesOf(network.id), { keysOnly: true });
  const pools = new NetworkPools(
    network,
    entries.map((entry) => lastPart(entry.key)),
  );
  for (const { endpoint } of drafts) endpoint.addresses.forEach((address) => void pools.reserve(address));
  return drafts.map((draft) => ({ draft, endpoint: pools.complete(draft) }));
}

function batchesOf(planned: readonly Planned[]): Planned[][] {
  return packed(planned, ({ endpoint }) => sizeOf(endpoint));
}

/** Splits the items so that the operations of each part fit into one transaction. */
function packed<T>(items: readonly T[], opsOf: (item: T) => number): T[][] {
  const parts: T[][] = [];
  let ops = Number.POSITIVE_INFINITY;
  for (const item of items) {
    ops += opsOf(item);
    if (ops > MAX_BATCH_OPS) {
      parts.push([]);
      ops = opsOf(item);
    }
    parts.at(-1)?.push(item);
  }
  return parts;
}

/** One transaction; if it meets a conflict, one by one, so that only those in conflict are chosen again. */
async function createBatch(
  cluster: ClusterAccess,
  network: Network,
  batch: readonly Planned[],
): Promise<Endpoint[]> {
  const outcome = await cluster.writes.placeEndpoints(batch.map(({ endpoint }) => endpoint));
  if ('placed' in outcome) return outcome.placed;
  const endpoints: Endpoint[] = [];
  try {
    for (const { draft } of batch) endpoints.push(await placeEndpoint(cluster, network, draft));
    return endpoints;
  } catch (error) {
    await cluster.writes.removeEndpoints(endpoints);
    throw error;
  }
}
