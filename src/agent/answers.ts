/* Records as the API shows them. Pure: what is not in the record is passed in. */
import type { Spec } from '../cluster/records.js';
import type { EndpointAnswer, NetworkAnswer, NodeAnswer } from '../model/api.js';
import { type Endpoint, EXTERNAL_NODE, type Network, type Node } from '../model/records.js';

export interface NodeContext {
  readonly alive: boolean;
  readonly self: boolean;
  /** What managers say of it; undefined: nothing. */
  readonly spec: Spec | undefined;
}

export function nodeAnswer(node: Node, { alive, self, spec }: NodeContext): NodeAnswer {
  const { id, name, vtep, version, createdAt } = node;
  return {
    id,
    name,
    vtep,
    state: alive ? 'ready' : 'down',
    self,
    version,
    role: spec?.role ?? null,
    availability: spec?.availability ?? null,
    labels: { ...node.labels, ...spec?.labels },
    createdAt,
  };
}

export function networkAnswer(network: Network, live: boolean): NetworkAnswer {
  const { id, name, vni, internal, mtu, labels, options, createdAt } = network;
  const subnets = network.subnets.map(({ subnet, gateway, range }) => ({ subnet, gateway, range }));
  return { id, name, vni, subnets, internal, mtu, labels, options, createdAt, live };
}

export interface EndpointContext {
  /** Undefined when the record's network is gone: only its id is known then. */
  network: Network | undefined;
  node: Node | undefined;
  local?: EndpointAnswer['local'] | undefined;
}

export function endpointAnswer(endpoint: Endpoint, context: EndpointContext): EndpointAnswer {
  const { id, name, aliases, mac, addresses, labels, createdAt } = endpoint;
  const { network, node, local } = context;
  return {
    id,
    name,
    aliases,
    network: { id: endpoint.network, name: network?.name ?? endpoint.network, vni: network?.vni ?? 0 },
    node: endpoint.node === EXTERNAL_NODE ? null : { id: endpoint.node, name: node?.name ?? endpoint.node },
    vtep: endpoint.vtep ?? node?.vtep ?? null,
    mac,
    addresses,
    labels,
    createdAt,
    ...(local === undefined ? {} : { local }),
  };
}
