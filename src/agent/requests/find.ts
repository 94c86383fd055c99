/*
 * Finding the record that a reference means. The view answers first; what it does not have is looked for in etcd,
 * since it may have been created on another node a moment ago, or be on a network that is not followed here.
 */
import { NotFound, StoreUnavailable } from '../../model/errors.js';
import type { Endpoint, Network } from '../../model/records.js';
import { resolveRef } from '../../model/refs.js';
import { listEndpoints } from '../../store/endpoints.js';
import { listNetworks } from '../../store/networks.js';
import type { AgentContext } from '../context.js';

export async function findNetwork({ view, store }: AgentContext, ref: string): Promise<Network> {
  const known = unlessNotFound(() => resolveRef(view.networks.values(), ref, 'network'));
  return known ?? freshNetwork({ view, store }, ref);
}

/** As etcd has it now, whatever the view says. */
export async function freshNetwork(
  { view, store }: Pick<AgentContext, 'view' | 'store'>,
  ref: string,
): Promise<Network> {
  const network = resolveRef(await listNetworks(store), ref, 'network');
  view.putNetwork(network);
  return network;
}

export async function findEndpoint({ view, store }: AgentContext, ref: string): Promise<Endpoint> {
  const known = unlessNotFound(() => resolveRef(view.endpoints.values(), ref, 'endpoint'));
  return known ?? resolveRef(await listEndpoints(store), ref, 'endpoint');
}

/** All endpoints, or those of a network; what is known here when etcd is away. */
export async function listKnownEndpoints(
  { view, store }: AgentContext,
  network?: string,
): Promise<Endpoint[]> {
  try {
    return await listEndpoints(store, network);
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error;
    return network === undefined ? [...view.endpoints.values()] : view.endpointsOfNetwork(network);
  }
}

export function unlessNotFound<T>(find: () => T): T | undefined {
  try {
    return find();
  } catch (error) {
    if (error instanceof NotFound) return undefined;
    throw error;
  }
}
