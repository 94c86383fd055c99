/* Requests about endpoints: attached here, attached elsewhere, declared. */
import type { AttachRequest, DeclareRequest, EndpointAnswer } from '../../model/api.js';
import { NotFound, PlaitError } from '../../model/errors.js';
import type { EndpointInput } from '../../model/inputs.js';
import { type Endpoint, EXTERNAL_NODE, type Network } from '../../model/records.js';
import { findExact, resolveRef } from '../../model/refs.js';
import { createEndpoints } from '../../store/bulk.js';
import { listEndpoints } from '../../store/endpoints.js';
import { endpointAnswer } from '../answers.js';
import type { AgentContext } from '../context.js';
import type { Changed } from '../endpoints.js';
import type { Backend } from '../server/routes.js';
import { findEndpoint, findNetwork, freshNetwork, listKnownEndpoints } from './find.js';

type EndpointRequests = Pick<Backend, 'endpoints' | 'endpoint' | 'attach' | 'declare' | 'removeEndpoint'>;

export function endpointRequests(context: AgentContext): EndpointRequests {
  return {
    async endpoints(ref) {
      const network = ref === undefined ? undefined : await findNetwork(context, ref);
      const found = await listKnownEndpoints(context, network?.id);
      return found.sort(byNetworkAndName(context)).map((endpoint) => show(context, endpoint));
    },
    endpoint: async (ref) => showWithCounters(context, await findEndpoint(context, ref)),
    async attach(request) {
      refuseInactive(context);
      await context.ready();
      const { endpoint, warnings } = await attach(context, request);
      return { endpoint: show(context, endpoint), warnings };
    },
    async declare(requests) {
      const endpoints = await declare(context, requests);
      return { endpoints: endpoints.map((endpoint) => show(context, endpoint)), warnings: [] };
    },
    removeEndpoint: (ref) => remove(context, ref),
  };
}

/** What is attached stays, and is detached as ever. */
export function refuseInactive({ link, self }: AgentContext): void {
  const availability = link.availability();
  if (availability === 'active') return;
  throw new PlaitError('NODE_NOT_ACTIVE', `attach endpoint: node ${self.name} is set to ${availability}`, {
    hint: `\`plait node update --availability active ${self.name}\` on a manager`,
  });
}

/** A network of that name may have been made anew on another node: then the view's is gone. */
async function attach(context: AgentContext, request: AttachRequest): Promise<Changed> {
  const network = await findNetwork(context, request.network);
  try {
    return withMtuWarning(context, network, await context.endpoints.attach(request, network));
  } catch (error) {
    if (!(error instanceof NotFound) || error.what !== 'network') throw error;
    const fresh = await freshNetwork(context, request.network);
    if (fresh.id === network.id) throw error;
    return withMtuWarning(context, fresh, await context.endpoints.attach(request, fresh));
  }
}

function withMtuWarning({ datapath }: AgentContext, network: Network, changed: Changed): Changed {
  const { innerMtu, device } = datapath.underlay;
  if (network.mtu <= innerMtu) return changed;
  const warning = `network ${network.name} has MTU ${network.mtu}, but ${device} of this node carries ${innerMtu}`;
  return { ...changed, warnings: [...changed.warnings, warning] };
}

/** All of them or none: what an earlier network got is taken back when a later one refuses. */
async function declare(context: AgentContext, requests: readonly DeclareRequest[]): Promise<Endpoint[]> {
  const { writes, view, reconciler, desired } = context;
  const created: Endpoint[] = [];
  try {
    for (const ref of new Set(requests.map(({ network }) => network))) {
      const network = await findNetwork(context, ref);
      const group = requests.filter((request) => request.network === ref);
      created.push(...(await createEndpoints(context, network, group.map(inputOf))));
    }
  } catch (error) {
    await writes.removeEndpoints(created);
    throw error;
  }
  const live = desired.liveNetworks();
  for (const endpoint of created) if (live.has(endpoint.network)) view.putEndpoint(endpoint);
  reconciler.kick();
  return created;
}

function inputOf({ name, vtep, mac, ip, aliases, labels }: DeclareRequest): EndpointInput {
  return {
    name,
    node: EXTERNAL_NODE,
    vtep,
    mac,
    addresses: ip,
    ...(aliases && { aliases }),
    ...(labels && { labels }),
  };
}

/** An endpoint of this node goes before others of its name; a prefix has to be one among all there are. */
async function remove(context: AgentContext, ref: string): Promise<{ id: string; warnings: string[] }> {
  const here = removableHere(context);
  const endpoint =
    findExact(here, ref, 'endpoint') ?? resolveRef(await removable(context, here), ref, 'endpoint');
  if (here.some(({ id }) => id === endpoint.id)) {
    return { id: endpoint.id, warnings: await context.endpoints.detach(endpoint.id) };
  }
  const { writes, self, view, reconciler } = context;
  const owner = view.nodes.get(endpoint.node);
  if (owner !== undefined && owner.id !== self.id) {
    throw new PlaitError(
      'ENDPOINT_ELSEWHERE',
      `detach endpoint ${endpoint.name}: it is attached to node ${owner.name}`,
      { hint: 'run the command there' },
    );
  }
  await writes.removeEndpoints([endpoint]);
  view.deleteEndpoint(endpoint.id);
  reconciler.kick();
  return { id: endpoint.id, warnings: [] };
}

/** What etcd has, and what is only left here. */
async function removable({ store }: AgentContext, here: readonly Endpoint[]): Promise<Endpoint[]> {
  const all = await listEndpoints(store);
  return [...new Map([...all, ...here].map((endpoint) => [endpoint.id, endpoint])).values()];
}

/** Also those that are detached already as far as this node goes. */
function removableHere({ locals, endpoints }: AgentContext): Endpoint[] {
  const pending = endpoints.pending.flatMap(({ endpoint }) => endpoint ?? []);
  return [...locals.values().map(({ endpoint }) => endpoint), ...pending];
}

function show({ view, locals }: AgentContext, endpoint: Endpoint): EndpointAnswer {
  const local = locals.get(endpoint.id);
  return endpointAnswer(endpoint, {
    network: view.networks.get(endpoint.network),
    node: view.nodes.get(endpoint.node),
    local: local && {
      netns: local.entry.netns,
      ifname: local.entry.ifname,
      hostIfname: local.entry.hostIfname,
      hostIfindex: local.attachment.ifindex,
    },
  });
}

function showWithCounters(context: AgentContext, endpoint: Endpoint): EndpointAnswer {
  const answer = show(context, endpoint);
  if (answer.local === undefined) return answer;
  const counters = context.datapath.endpointTraffic(answer.local.hostIfindex);
  return counters === undefined ? answer : { ...answer, local: { ...answer.local, counters } };
}

function byNetworkAndName({ view }: AgentContext): (a: Endpoint, b: Endpoint) => number {
  const networkName = ({ network }: Endpoint): string => view.networks.get(network)?.name ?? network;
  return (a, b) => networkName(a).localeCompare(networkName(b)) || a.name.localeCompare(b.name);
}
