/**
 * What is written to the cluster, apart from a node's own record and its sign of life. Whoever writes chooses first
 * (endpoints.ts, bulk.ts, nodes.ts), from what etcd says; a write is one attempt, done as a whole or not at all, and
 * says what stood in its way. So the choosing, and the loop around it, is the same whether the writer may write
 * (`DirectWrites`) or has to ask a manager (cluster/manager/writes.ts).
 *
 * An answer may get lost, and a write be done twice: each is recognized by the ids in it.
 */
import type { NetworkHost, NetworkInput } from '../model/inputs.js';
import type { Description, Endpoint, Network, Node } from '../model/records.js';
import { deleteEndpoints } from './bulk.js';
import { describeEndpoint, placeEndpoints } from './endpoints.js';
import { collectOrphans, type Orphans } from './gc.js';
import { createNetwork, removeNetwork, restoreNetwork } from './networks.js';
import { claimNodeName, removeNode } from './nodes.js';
import type { Store } from './store.js';

/** What an endpoint has in etcd, as far as its removal has to know. */
export type Holding = Pick<Endpoint, 'id' | 'network' | 'node' | 'addresses' | 'mac'>;

/** Where an endpoint stands in etcd. */
export type Place = Pick<Endpoint, 'id' | 'network' | 'node'>;

/** What became of an attempt to write endpoints. */
export type Placement =
  /** All there now; as they were written first, if this was a repetition. */
  | { readonly placed: Endpoint[] }
  /** None is written: address or MAC → id of the endpoint that has it. */
  | { readonly taken: Readonly<Record<string, string>> }
  /** None is written: their network does not exist. */
  | { readonly missing: 'network' };

/** A node that may have no record. */
export type NamedNode = Pick<Node, 'id' | 'name'>;

export interface ClusterWrites {
  /** Endpoints of one network, as many as fit in one transaction, with their addresses and MACs. */
  placeEndpoints(endpoints: readonly Endpoint[]): Promise<Placement>;
  /** Gives an endpoint another name and other aliases. False if it is not there. Throws StoreConflict. */
  describeEndpoint(endpoint: Place, description: Description): Promise<boolean>;
  /** With all that they hold. Harmless for those that are not there. */
  removeEndpoints(endpoints: readonly Holding[]): Promise<void>;
  /** Gives back what endpoints of the network hold that do not exist. */
  collectOrphans(network: string): Promise<Orphans>;
  /** Throws as `createNetwork` of networks.ts does. */
  createNetwork(input: NetworkInput, host: NetworkHost): Promise<Network>;
  /** Throws NetworkInUse, NotFound. */
  removeNetwork(network: Network): Promise<void>;
  /**
   * Writes a network again that etcd has lost, for the sake of an endpoint that is attached to it; false if it is
   * there. Throws as `restoreNetwork` of networks.ts does.
   */
  restoreNetwork(network: Network, endpoint: Endpoint): Promise<boolean>;
  /** Makes place for the node's record, and its name the node's. Throws NameTaken, VtepTaken, StoreConflict. */
  claimNodeName(node: Node): Promise<void>;
  /** Takes the node out of the cluster, with its endpoints, its name and what managers say of it. */
  removeNode(node: NamedNode): Promise<void>;
}

/** How to read the cluster, and how to write to it. */
export interface ClusterAccess {
  readonly store: Store;
  readonly writes: ClusterWrites;
}

/** Access for who may write. */
export function direct(store: Store): ClusterAccess {
  return { store, writes: new DirectWrites(store) };
}

export class DirectWrites implements ClusterWrites {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  placeEndpoints(endpoints: readonly Endpoint[]): Promise<Placement> {
    return placeEndpoints(this.#store, endpoints);
  }

  describeEndpoint(endpoint: Place, description: Description): Promise<boolean> {
    return describeEndpoint(this.#store, endpoint, description);
  }

  removeEndpoints(endpoints: readonly Holding[]): Promise<void> {
    return deleteEndpoints(this.#store, endpoints);
  }

  collectOrphans(network: string): Promise<Orphans> {
    return collectOrphans(this.#store, network);
  }

  createNetwork(input: NetworkInput, host: NetworkHost, id?: string): Promise<Network> {
    return createNetwork(this.#store, input, host, id);
  }

  removeNetwork(network: Network): Promise<void> {
    return removeNetwork(this.#store, network);
  }

  restoreNetwork(network: Network): Promise<boolean> {
    return restoreNetwork(this.#store, network);
  }

  claimNodeName(node: Node): Promise<void> {
    return claimNodeName(this.#store, node);
  }

  removeNode(node: NamedNode): Promise<void> {
    return removeNode(this.#store, node);
  }
}
