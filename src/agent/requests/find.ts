/*
 * Finding the record that a reference means. An id or a name that the view has is answered from there; all else is
 * looked for in etcd, since it may have been created on another node a moment ago, or be on a network that is not
 * followed here. While etcd is away, a prefix of an id that is known has to do.
 */
import { NotFound, StoreUnavailable } from '../../model/errors.js';
import type { Endpoint, Network } from '../../model/records.js';
import { findExact, resolveRef } from '../../model/refs.js';
import { listEndpoints } from '../../store/endpoints.js';
import { listNetworks } from '../../store/networks.js';
import type { AgentContext } from '../context.js';

export async function findNetwork({ view, store }: AgentContext, ref: string): Promise<Network> {
  const known = findExact(view.networks.values(), ref, 'network');
  if (known) return known;
  return freshNetwork({ view, store }, ref).catch(
    unlessAway(() => resolveRef(view.networks.values(), ref, 'network')),
  );
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
  const known = findExact(view.endpoints.values(), ref, 'endpoint');
  if (known) return known;
  return listEndpoints(store)
    .then((all) => resolveRef(all, ref, 'endpoint'))
    .catch(unlessAway(() => resolveRef(view.endpoints.values(), ref, 'endpoint')));
}

/** All endpoints, or those of a network; what is known here when etcd is away. */
export async function listKnownEndpoints(
  { view, store }: AgentContext,
  network?: string,
): Promise<Endpoint[]> {
  const known = () =>
    network === undefined ? [...view.endpoints.values()] : view.endpointsOfNetwork(network);
  return listEndpoints(store, network).catch(unlessAway(known));
}

/** For `catch`: what to use instead while etcd is away. That nothing is known by a name then is no news. */
function unlessAway<T>(instead: () => T): (error: unknown) => T {
  return (error) => {
    if (!(error instanceof StoreUnavailable)) throw error;
    try {
      return instead();
    } catch (other) {
      throw other instanceof NotFound ? error : other;
    }
  };
}
