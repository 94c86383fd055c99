/**
 * What this node knows of the cluster: records by id and the indexes that DNS, the API and the desired rows ask.
 * Watches put and delete; a list replaces a whole scope and touches only what differs. Every change is noted as
 * dirty, so that the reconciler's work grows with the changes and not with the cluster. No I/O.
 */
import { EndpointRecords } from './endpointRecords.js';
import { Index, ScopedIndex } from './indexes.js';
import { namesOf } from './names.js';
import type { Endpoint, Network, Node } from './records.js';

/** Ids whose records appeared, changed or went away since the last `takeDirty`. */
export interface Dirty {
  readonly nodes: ReadonlySet<string>;
  readonly alive: ReadonlySet<string>;
  readonly networks: ReadonlySet<string>;
  readonly endpoints: ReadonlySet<string>;
}

type Kind = keyof Dirty;

export class ClusterView {
  readonly #nodes = new Map<string, Node>();
  readonly #alive = new Set<string>();
  readonly #networks = new Map<string, Network>();
  readonly #endpoints = new EndpointRecords();
  readonly #byNetwork = new Index();
  readonly #byNode = new Index();
  readonly #byName = new ScopedIndex();
  readonly #byAddress = new ScopedIndex();
  readonly #byVni = new Index();
  #dirty = noDirt();

  get nodes(): ReadonlyMap<string, Node> {
    return this.#nodes;
  }

  /** Ids of nodes whose lease lives. */
  get alive(): ReadonlySet<string> {
    return this.#alive;
  }

  get networks(): ReadonlyMap<string, Network> {
    return this.#networks;
  }

  get endpoints(): Pick<EndpointRecords, 'size' | 'has' | 'get' | 'keys' | 'values'> {
    return this.#endpoints;
  }

  /** As of the call. */
  idsOfNetwork(network: string): string[] {
    return [...this.#byNetwork.get(network)];
  }

  idsOfNode(node: string): string[] {
    return [...this.#byNode.get(node)];
  }

  /** Addresses that endpoints of the network have, in canonical text. */
  addressesOfNetwork(network: string): Iterable<string> {
    return this.#byAddress.keys(network);
  }

  endpointsOfNetwork(network: string): Endpoint[] {
    return this.#resolve(this.#byNetwork.get(network));
  }

  endpointsOfNode(node: string): Endpoint[] {
    return this.#resolve(this.#byNode.get(node));
  }

  /** Endpoints of the network with that name or alias, or for tasks.<name> its replicas; case does not matter. */
  endpointsNamed(network: string, name: string): Endpoint[] {
    return this.#resolve(this.#byName.get(network, name.toLowerCase()));
  }

  /** Who holds the address (in canonical text) on the network. */
  endpointAt(network: string, address: string): Endpoint | undefined {
    const holder = this.#byAddress.last(network, address);
    return holder === undefined ? undefined : this.#endpoints.get(holder);
  }

  putNode(node: Node): void {
    if (replaceIfChanged(this.#nodes, node)) this.#dirty.nodes.add(node.id);
  }

  deleteNode(id: string): void {
    if (this.#nodes.delete(id)) this.#dirty.nodes.add(id);
  }

  putAlive(node: string): void {
    if (this.#alive.has(node)) return;
    this.#alive.add(node);
    this.#dirty.alive.add(node);
  }

  deleteAlive(node: string): void {
    if (this.#alive.delete(node)) this.#dirty.alive.add(node);
  }

  putNetwork(network: Network): void {
    const before = this.#networks.get(network.id);
    if (!replaceIfChanged(this.#networks, network)) return;
    if (before) this.#byVni.delete(String(before.vni), before.id);
    this.#byVni.add(String(network.vni), network.id);
    this.#dirty.networks.add(network.id);
  }

  deleteNetwork(id: string): void {
    const before = this.#networks.get(id);
    if (!before) return;
    this.#networks.delete(id);
    this.#byVni.delete(String(before.vni), id);
    this.#dirty.networks.add(id);
  }

  /** One, unless somebody wrote networks by hand. */
  networksOfVni(vni: number): Network[] {
    return [...this.#byVni.get(String(vni))].flatMap((id) => this.#networks.get(id) ?? []);
  }

  putEndpoint(endpoint: Endpoint): void {
    const before = this.#endpoints.get(endpoint.id);
    if (!this.#endpoints.set(endpoint)) return;
    if (before) this.#index('delete', before);
    this.#index('add', endpoint);
    this.#dirty.endpoints.add(endpoint.id);
  }

  deleteEndpoint(id: string): void {
    const before = this.#endpoints.get(id);
    if (!before) return;
    this.#endpoints.delete(id);
    this.#index('delete', before);
    this.#dirty.endpoints.add(id);
  }

  /** The whole list of nodes. Those in `keep` stay if they are not in it: their records could not be read. */
  replaceNodes(nodes: Iterable<Node>, keep?: ReadonlySet<string>): void {
    replaceAll(
      this.#nodes.keys(),
      nodes,
      keep,
      (id) => this.deleteNode(id),
      (node) => this.putNode(node),
    );
  }

  replaceAlive(nodes: Iterable<string>): void {
    const now = new Set(nodes);
    for (const id of [...this.#alive]) if (!now.has(id)) this.deleteAlive(id);
    for (const id of now) this.putAlive(id);
  }

  replaceNetworks(networks: Iterable<Network>, keep?: ReadonlySet<string>): void {
    replaceAll(
      this.#networks.keys(),
      networks,
      keep,
      (id) => this.deleteNetwork(id),
      (n) => this.putNetwork(n),
    );
  }

  /** The whole list of endpoints of one network. */
  replaceEndpoints(network: string, endpoints: Iterable<Endpoint>, keep?: ReadonlySet<string>): void {
    replaceAll(
      this.idsOfNetwork(network),
      endpoints,
      keep,
      (id) => this.deleteEndpoint(id),
      (e) => this.putEndpoint(e),
    );
  }

  /** What changed since the last call. */
  takeDirty(): Dirty {
    const dirty = this.#dirty;
    this.#dirty = noDirt();
    return dirty;
  }

  #resolve(ids: Iterable<string>): Endpoint[] {
    const found: Endpoint[] = [];
    for (const id of ids) {
      const endpoint = this.#endpoints.get(id);
      if (endpoint) found.push(endpoint);
    }
    return found;
  }

  #index(change: 'add' | 'delete', endpoint: Endpoint): void {
    const { id, network } = endpoint;
    this.#byNetwork[change](network, id);
    this.#byNode[change](endpoint.node, id);
    for (const name of namesOf(endpoint)) this.#byName[change](network, name, id);
    for (const address of endpoint.addresses) this.#byAddress[change](network, address, id);
  }
}

function noDirt(): Record<Kind, Set<string>> {
  return { nodes: new Set(), alive: new Set(), networks: new Set(), endpoints: new Set() };
}

/** Records are small, flat JSON that keeps its order on the way through etcd. */
function sameRecord(a: object, b: object): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function replaceIfChanged<T extends { id: string }>(records: Map<string, T>, record: T): boolean {
  const before = records.get(record.id);
  if (before && sameRecord(before, record)) return false;
  records.set(record.id, record);
  return true;
}

function replaceAll<T extends { id: string }>(
  before: Iterable<string>,
  records: Iterable<T>,
  keep: ReadonlySet<string> | undefined,
  remove: (id: string) => void,
  put: (record: T) => void,
): void {
  const now = new Map<string, T>();
  for (const record of records) now.set(record.id, record);
  for (const id of [...before]) if (!now.has(id) && !keep?.has(id)) remove(id);
  for (const record of now.values()) put(record);
}
