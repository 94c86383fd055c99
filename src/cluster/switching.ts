/* Writes that go another way when this node's role changes, while others hold on to them. */
import type { ClusterWrites } from '../store/writes.js';

export function switchingWrites(current: () => ClusterWrites): ClusterWrites {
  return {
    placeEndpoints: (endpoints) => current().placeEndpoints(endpoints),
    describeEndpoint: (endpoint, description) => current().describeEndpoint(endpoint, description),
    removeEndpoints: (endpoints) => current().removeEndpoints(endpoints),
    collectOrphans: (network) => current().collectOrphans(network),
    createNetwork: (input, host) => current().createNetwork(input, host),
    removeNetwork: (network) => current().removeNetwork(network),
    restoreNetwork: (network, endpoint) => current().restoreNetwork(network, endpoint),
    claimNodeName: (node) => current().claimNodeName(node),
    removeNode: (node) => current().removeNode(node),
  };
}
