/* The reconciler's way into the datapath. */
import type { Datapath } from '../datapath/datapath.js';
import type { AllRows } from '../model/desired.js';
import type { Network } from '../model/records.js';
import type { RowChanges } from '../model/rows.js';
import type { ClusterView } from '../model/view.js';
import type { RowSink } from './reconciler.js';

/** What the sink needs of the datapath. */
export interface SinkTarget extends Pick<Datapath, 'tables' | 'apply' | 'mend'> {
  readonly flood: Pick<Datapath['flood'], 'verify' | 'replace'>;
  readonly vteps: Pick<Datapath['vteps'], 'index' | 'routeNew' | 'addresses' | 'release'>;
  readonly gateway: Pick<Datapath['gateway'], 'apply'>;
}

export class DatapathSink implements RowSink {
  readonly #datapath: SinkTarget;
  readonly #view: ClusterView;
  readonly #node: string;

  constructor(datapath: SinkTarget, view: ClusterView, node: string) {
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

  /** Against what the kernel has, so that also what others did to the maps is found. */
  replace(rows: AllRows): number {
    const { tables, flood } = this.#datapath;
    return (
      mend(tables.networks, rows.networks) +
      mend(tables.endpoints, rows.endpoints) +
      mend(tables.neighbors, rows.neighbors) +
      mend(tables.senders, rows.senders) +
      mend(tables.fdb, rows.fdb) +
      mend(tables.subnets, rows.subnets) +
      mend(flood, rows.flood)
    );
  }

  mend(): Promise<number> {
    return this.#datapath.mend();
  }

  async setLiveNetworks(ids: ReadonlySet<string>): Promise<void> {
    await this.#datapath.gateway.apply(this.liveNetworks(ids));
  }

  liveNetworks(ids: ReadonlySet<string>): Network[] {
    return [...ids].flatMap((id) => this.#view.networks.get(id) ?? []);
  }
}

interface Comparable<Row> {
  verify(rows: Iterable<Row>): readonly unknown[];
  replace(rows: Iterable<Row>): unknown;
}

/** Returns how many rows differed. */
function mend<Row>(table: Comparable<Row>, rows: Iterable<Row>): number {
  const { length } = table.verify(rows);
  if (length > 0) table.replace(rows);
  return length;
}
