/* Requests about nodes and networks. */
import type { Spec } from '../../cluster/records.js';
import type { NetworkAnswer, NodeAnswer } from '../../model/api.js';
import { PlaitError } from '../../model/errors.js';
import type { HostRoute, NetworkInput } from '../../model/inputs.js';
import type { Network, Node } from '../../model/records.js';
import { resolveRef } from '../../model/refs.js';
import { hostPrefixes } from '../../net/underlay.js';
import { getSpec, listSpecs } from '../../store/cluster.js';
import { networkAnswer, nodeAnswer } from '../answers.js';
import type { AgentContext } from '../context.js';
import type { Backend } from '../server/routes.js';
import { findNetwork } from './find.js';

type ClusterRequests = Pick<
  Backend,
  'nodes' | 'node' | 'networks' | 'network' | 'createNetwork' | 'removeNetwork'
>;

export function clusterRequests(context: AgentContext): ClusterRequests {
  const { self, view, writes, desired, store } = context;
  const showNode = (node: Node, spec: Spec | undefined): NodeAnswer =>
    nodeAnswer(node, { alive: view.alive.has(node.id), self: node.id === self.id, spec });
  const showNetwork = (network: Network): NetworkAnswer =>
    networkAnswer(network, desired.liveNetworks().has(network.id));
  return {
    nodes: async () => {
      const specs = await listSpecs(store).catch(() => new Map<string, Spec>()); // without etcd: what is known
      return [...view.nodes.values()].sort(byName).map((node) => showNode(node, specs.get(node.id)));
    },
    node: async (ref) => {
      const node = resolveRef(view.nodes.values(), ref, 'node');
      return showNode(node, await getSpec(store, node.id).catch(() => undefined));
    },
    networks: () => [...view.networks.values()].sort(byName).map(showNetwork),
    network: async (ref) => showNetwork(await findNetwork(context, ref)),
    async createNetwork(request) {
      return showNetwork(await createNetworkHere(context, inputOf(request)));
    },
    async removeNetwork(ref) {
      const network = await findNetwork(context, ref);
      await writes.removeNetwork(network).catch((error) => {
        // The view had what is gone: removed elsewhere a moment ago.
        if (error instanceof PlaitError && error.code === 'NOT_FOUND') view.deleteNetwork(network.id);
        throw error;
      });
      view.deleteNetwork(network.id);
      return { id: network.id, warnings: [] };
    },
  };
}

/** With what this host knows of its routes and its underlay. */
export async function createNetworkHere(
  { writes, view, datapath }: Pick<AgentContext, 'writes' | 'view' | 'datapath'>,
  input: NetworkInput,
): Promise<Network> {
  const host = { routes: await hostRoutes(), mtu: datapath.underlay.innerMtu };
  const network = await writes.createNetwork(input, host);
  view.putNetwork(network);
  return network;
}

async function hostRoutes(): Promise<HostRoute[]> {
  const prefixes = await hostPrefixes();
  return prefixes.map(({ prefix, device }) => ({
    subnet: prefix,
    name: `route ${prefix} dev ${device}`,
  }));
}

/** Drops what was left out: with exact optional types, "undefined" is not "left out". */
function inputOf(request: object & { name: string }): NetworkInput {
  const given = Object.entries(request).filter(([, value]) => value !== undefined);
  return { name: request.name, ...Object.fromEntries(given) };
}

function byName(a: { name: string }, b: { name: string }): number {
  return a.name.localeCompare(b.name);
}
