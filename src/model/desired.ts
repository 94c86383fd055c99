/**
 * The rows that this node's maps should have, kept up to date from the cluster view.
 *
 * Only a network that is live here, that is with a container attached on this node, has rows: a network of other
 * nodes costs nothing. A change touches what depends on it: an endpoint its own few rows, O(1); a network
 * becoming live or dead, or a node changing its address, their endpoints. The reconciler notes changes by
 * `update`, `attach` and `detach`, which only mark, and then takes the rows that changed. `all` is for the full
 * compare, which corrects whatever else wrote to the maps.
 *
 * Rows follow from records and attachments, not from the order in which news of them came; a node that is
 * silent keeps its rows (a fault of the control plane must not become an outage).
 */
import { parseMac } from './addresses.js';
import { ClaimTable } from './claims.js';
import { fitter, vniOwner } from './fit.js';
import { Flood } from './flood.js';
import { type Place, Reach } from './reach.js';
import { endpointRow, gatewayAddresses, networkRow, subnetRows } from './recordRows.js';
import { type Endpoint, EXTERNAL_NODE, type Network } from './records.js';
import type { Attachment, RowChanges, TableName, TableTypes } from './rows.js';
import type { ClusterView, Dirty } from './view.js';

export interface DesiredOptions {
  /** Id of this node. */
  readonly node: string;
  /** Index in `vteps` of the VTEP with that underlay address; asked when the first row needs it. */
  readonly vtepIndex: (address: string) => number;
}

/** Each can be iterated again and again: rows are made on the way. */
export type AllRows = { [T in TableName]: Iterable<TableTypes[T]> };

/** How to give up what a record holds. */
type Release = () => void;

interface LiveNetwork {
  readonly network: Network;
  readonly misfit: (endpoint: Endpoint) => string | undefined;
  readonly releases: Release[];
}

export class DesiredRows {
  readonly #view: ClusterView;
  readonly #node: string;
  readonly #flood: Flood;
  readonly #reach = new Reach();
  readonly #tables = {
    endpoints: new ClaimTable<number, TableTypes['endpoints'][1]>(String),
    networks: new ClaimTable<number, TableTypes['networks'][1]>(String),
    subnets: new ClaimTable<TableTypes['subnets'][0], TableTypes['subnets'][1]>(
      (key) => `${key.prefixLen}/${key.addr.w.join('.')}`,
    ),
  };
  readonly #attachments = new Map<string, Attachment>();
  readonly #live = new Map<string, LiveNetwork>();
  /** Network id → ids of its endpoints that are attached here. */
  readonly #local = new Map<string, Set<string>>();
  /** Endpoint id → network id, for what is counted in #local. */
  readonly #networkOf = new Map<string, string>();
  /** Id of a record that is known and has no rows → why. */
  readonly #faults = new Map<string, string>();
  #dirtyEndpoints = new Set<string>();
  #dirtyNetworks = new Set<string>();

  constructor(view: ClusterView, options: DesiredOptions) {
    this.#view = view;
    this.#node = options.node;
    this.#flood = new Flood(options.vtepIndex);
  }

  get attachments(): ReadonlyMap<string, Attachment> {
    return this.#attachments;
  }

  /** The endpoint's container interface exists on this node. */
  attach(endpoint: string, attachment: Attachment): void {
    this.#attachments.set(endpoint, attachment);
    this.#dirtyEndpoints.add(endpoint);
  }

  detach(endpoint: string): void {
    if (this.#attachments.delete(endpoint)) this.#dirtyEndpoints.add(endpoint);
  }

  /** Notes what changed in the view. */
  update(dirty: Dirty): void {
    for (const id of dirty.endpoints) this.#dirtyEndpoints.add(id);
    for (const id of dirty.networks) this.#dirtyNetworks.add(id);
    for (const id of dirty.nodes) {
      for (const endpoint of this.#view.idsOfNode(id)) this.#dirtyEndpoints.add(endpoint);
    }
    // A declared peer at this node's own address is nobody's; that address may just have become known.
    if (!dirty.nodes.has(this.#node)) return;
    for (const endpoint of this.#view.idsOfNode(EXTERNAL_NODE)) this.#dirtyEndpoints.add(endpoint);
  }

  /** Rows that changed since the last call. Rows of `vteps` must be there before these are applied. */
  takeChanges(): RowChanges {
    this.#settle();
    return {
      ...this.#reach.takeChanges(),
      endpoints: this.#tables.endpoints.takeChanges(),
      networks: this.#tables.networks.takeChanges(),
      subnets: this.#tables.subnets.takeChanges(),
      senders: this.#flood.senders.takeChanges(),
      flood: this.#flood.takeChanges(),
    };
  }

  /** Every row, as of when it is iterated. What `takeChanges` has to tell stays to be told. */
  all(): AllRows {
    this.#settle();
    return {
      fdb: rows(() => this.#reach.fdb()),
      neighbors: rows(() => this.#reach.neighbors()),
      endpoints: rows(() => this.#tables.endpoints.entries()),
      networks: rows(() => this.#tables.networks.entries()),
      subnets: rows(() => this.#tables.subnets.entries()),
      senders: rows(() => this.#flood.senders.entries()),
      flood: rows(() => this.#flood.entries()),
    };
  }

  /** Underlay addresses of the remote VTEPs that rows refer to, and their indexes. */
  vteps(): Map<string, number> {
    this.#settle();
    return this.#flood.vteps();
  }

  /** Another number whenever `vteps` has changed. */
  get vtepsVersion(): number {
    this.#settle();
    return this.#flood.vtepsVersion;
  }

  /** Ids of the networks that have rows here. */
  liveNetworks(): ReadonlySet<string> {
    this.#settle();
    return new Set(this.#live.keys());
  }

  /** Why records have no rows although they should have: they do not fit the others. For a person. */
  faults(): string[] {
    this.#settle();
    return [...this.#faults.values()];
  }

  #settle(): void {
    for (const id of this.#dirtyEndpoints) this.#countLocal(id);
    for (const id of this.#withRivals(this.#dirtyNetworks)) this.#refreshNetwork(id);
    for (const id of this.#dirtyEndpoints) this.#refreshEndpoint(id);
    this.#dirtyNetworks = new Set();
    this.#dirtyEndpoints = new Set();
  }

  /** Notes a network whose first local endpoint came or whose last one went. */
  #countLocal(id: string): void {
    const endpoint = this.#view.endpoints.get(id);
    const before = this.#networkOf.get(id);
    const now = endpoint && this.#attachments.has(id) ? endpoint.network : undefined;
    if (before === now) return;
    if (before !== undefined) {
      this.#networkOf.delete(id);
      this.#local.get(before)?.delete(id);
      if (this.#local.get(before)?.size === 0) this.#local.delete(before);
      this.#dirtyNetworks.add(before);
    }
    if (now === undefined) return;
    this.#networkOf.set(id, now);
    this.#local.set(now, (this.#local.get(now) ?? new Set()).add(id));
    this.#dirtyNetworks.add(now);
  }

  /** A network that comes, goes or changes its VNI may decide about others of that VNI. */
  #withRivals(ids: ReadonlySet<string>): Set<string> {
    const all = new Set(ids);
    if (ids.size === 0) return all;
    for (const id of this.#local.keys()) if (this.#faults.has(id)) all.add(id);
    for (const id of ids) {
      const vni = this.#view.networks.get(id)?.vni;
      for (const rival of vni === undefined ? [] : this.#view.networksOfVni(vni)) all.add(rival.id);
    }
    return all;
  }

  /** The network if it is live here and its VNI is its own. */
  #liveNetwork(id: string): Network | undefined {
    this.#faults.delete(id);
    const network = this.#local.has(id) ? this.#view.networks.get(id) : undefined;
    const owner = network && vniOwner(network, this.#view.networksOfVni(network.vni));
    if (!network || !owner) return network;
    const fault = `network ${network.name} carries nothing here: its VNI ${network.vni} is that of network ${owner.name}`;
    this.#faults.set(id, fault);
    return undefined;
  }

  #refreshNetwork(id: string): void {
    const before = this.#live.get(id);
    const network = this.#liveNetwork(id);
    if (before?.network === network) return;
    for (const release of before?.releases ?? []) release();
    this.#live.delete(id);
    if (network) {
      this.#live.set(id, { network, misfit: fitter(network), releases: this.#claimNetwork(network) });
    }
    for (const endpoint of this.#view.idsOfNetwork(id)) this.#dirtyEndpoints.add(endpoint);
  }

  #claimNetwork(network: Network): Release[] {
    const { networks, subnets } = this.#tables;
    return [
      claim(networks, network.id, [[network.vni, networkRow(network)]]),
      this.#reach.claimGateways(network.id, network.vni, gatewayAddresses(network)),
      claim(subnets, network.id, subnetRows(network)),
    ];
  }

  #refreshEndpoint(id: string): void {
    this.#releaseEndpoint(id);
    this.#faults.delete(id);
    const endpoint = this.#view.endpoints.get(id);
    const live = endpoint && this.#live.get(endpoint.network);
    if (!endpoint || !live) return;
    const { network } = live;
    const attachment = this.#attachments.get(id);
    const misfit = attachment ? undefined : live.misfit(endpoint);
    if (misfit !== undefined) {
      this.#faults.set(id, `endpoint ${endpoint.name} (${id}) is left out: ${misfit}`);
      return;
    }
    const vtep = attachment ? undefined : this.#vtepOf(endpoint);
    if (attachment) this.#claimLocal(network, endpoint, attachment);
    else if (vtep !== undefined) this.#claimRemote(network, endpoint, vtep);
  }

  #claimLocal(network: Network, endpoint: Endpoint, attachment: Attachment): void {
    const { vni } = network;
    const { id, mac, addresses } = endpoint;
    const { ifindex, slot } = attachment;
    const row = endpointRow(network, endpoint, parseMac(mac), attachment);
    this.#flood.addLocal(vni, id, attachment);
    this.#tables.endpoints.claim(id, ifindex, row);
    this.#reach.claim(id, { vni, mac, addresses, ifindex, slot });
  }

  #claimRemote({ vni }: Network, { id, mac, addresses }: Endpoint, vtep: string): void {
    const slot = this.#flood.addRemote(vni, vtep);
    this.#reach.claim(id, { vni, mac, addresses, ifindex: 0, slot });
  }

  #releaseEndpoint(id: string): void {
    const place: Place | undefined = this.#reach.release(id);
    if (!place) return;
    const { vni, ifindex, slot } = place;
    if (ifindex === 0) {
      this.#flood.removeRemote(vni, slot);
      return;
    }
    this.#flood.removeLocal(vni, id);
    this.#tables.endpoints.release(id, ifindex);
  }

  /** Where a remote endpoint is. Nowhere if it claims to be here: without an attachment it does not exist. */
  #vtepOf(endpoint: Endpoint): string | undefined {
    if (endpoint.node === this.#node) return undefined;
    const vtep = endpoint.vtep ?? this.#view.nodes.get(endpoint.node)?.vtep;
    return vtep === this.#view.nodes.get(this.#node)?.vtep ? undefined : vtep;
  }
}

function claim<K, V>(table: ClaimTable<K, V>, owner: string, rows: readonly [K, V][]): Release {
  for (const [key, value] of rows) table.claim(owner, key, value);
  return () => {
    for (const [key] of rows) table.release(owner, key);
  };
}

function rows<Row>(iterate: () => Iterator<Row>): Iterable<Row> {
  return { [Symbol.iterator]: iterate };
}
