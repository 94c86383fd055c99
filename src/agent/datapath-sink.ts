/* The reconciler's way into the datapath. */
import type { Datapath } from '../datapath/datapath.js';
import type { AllRows } from '../model/desired.js';
import type { Network } from '../model/records.js';
import type { RowChanges } from '../model/rows.js';
import type { ClusterView } from '../model/view.js';
import type { RowSink } from './reconciler.js';

export class DatapathSink implements RowSink {
  readonly #datapath: Datapath;
  readonly #view: ClusterView;
  readonly #node: string;

  constructor(datapath: Datapath, view: ClusterView, node: string) {
    this.#datapath = datapath;
    this.#view = view;
    this.#node = node;
  }

  /**
   * Addresses of all other nodes and of the peers named: a node's route is looked up when the node appears, so that
   * the first endpoint there does not wait for it.
   */
  vteps(named: Iterable<string>): Set<string> {
    const wanted = new Set(named);
    for (const { id, vtep } of this.#view.nodes.values()) if (id !== this.#node) wanted.add(vtep);
    return wanted;
  }

  async addVteps(addresses: Iterable<string>): Promise<void> {
    const { vteps } = this.#datapath;
    for (const address of this.vteps(addresses)) vteps.index(address);
    await vteps.routeNew();
  }

  keepVteps(addresses: Iterable<string>): void {
    const { vteps } = this.#datapath;
    const wanted = this.vteps(addresses);
    for (const address of vteps.addresses()) if (!wanted.has(address)) vteps.release(address);
  }

  apply(changes: RowChanges): void {
    this.#datapath.apply(changes);
  }

  replace(rows: AllRows): number {
    const { tables, flood } = this.#datapath;
    const applied = [
      tables.networks.replace(rows.networks),
      tables.endpoints.replace(rows.endpoints),
      tables.neighbors.replace(rows.neighbors),
      tables.senders.replace(rows.senders),
      tables.fdb.replace(rows.fdb),
      tables.subnets.replace(rows.subnets),
      flood.replace(rows.flood),
    ];
    return applied.reduce((sum, { written, deleted }) => sum + written + deleted, 0);
  }

  async setLiveNetworks(ids: ReadonlySet<string>): Promise<void> {
    await this.#datapath.gateway.apply(this.liveNetworks(ids));
  }

  liveNetworks(ids: ReadonlySet<string>): Network[] {
    return [...ids].flatMap((id) => this.#view.networks.get(id) ?? []);
  }
}
