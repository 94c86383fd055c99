/*
 * An agent without a host: it registers, follows etcd and brings its maps up to date by the same code as any agent.
 * What is missing is what its host would do: interfaces, programs, the journal, names.
 */
import type { Logger } from 'pino';
import { Choices } from '../../agent/choices.js';
import { ClusterWatch } from '../../agent/cluster-watch.js';
import { DatapathSink } from '../../agent/datapath-sink.js';
import { Membership } from '../../agent/membership.js';
import { Reconciler } from '../../agent/reconciler.js';
import { StoreHealth } from '../../agent/store-health.js';
import { DesiredRows } from '../../model/desired.js';
import type { Endpoint, Network, Node } from '../../model/records.js';
import { ClusterView } from '../../model/view.js';
import { createEndpoint, deleteEndpoint } from '../../store/endpoints.js';
import { Store } from '../../store/store.js';
import { type ClusterAccess, direct } from '../../store/writes.js';
import { StandIn, type StandInOptions } from './stand-in.js';

export interface SimulatedAgentOptions extends StandInOptions {
  readonly etcd: string;
  readonly node: Node;
  /** On which it has endpoints from the start to the end. */
  readonly networks: readonly Network[];
  readonly log: Logger;
}

/** As a kernel counts them: 0 means a VTEP. */
const FIRST_IFINDEX = 2;

export class SimulatedAgent {
  readonly view = new ClusterView();
  readonly #options: SimulatedAgentOptions;
  readonly #store: Store;
  readonly #cluster: ClusterAccess;
  readonly #datapath: StandIn;
  readonly #desired: DesiredRows;
  readonly #reconciler: Reconciler;
  readonly #watch: ClusterWatch;
  readonly #membership: Membership;
  readonly #choices = new Choices();
  readonly #locals = new Set<string>();
  #lastIfindex = FIRST_IFINDEX - 1;

  constructor(options: SimulatedAgentOptions) {
    const { node, etcd, networks, log } = options;
    this.#options = options;
    this.#store = new Store({ endpoints: [etcd] });
    this.#cluster = direct(this.#store);
    this.#datapath = new StandIn(options);
    const [store, view, health, notices] = [this.#store, this.view, new StoreHealth(), new Map()];
    this.#desired = new DesiredRows(view, {
      node: node.id,
      vtepIndex: (address) => this.#datapath.vteps.index(address),
    });
    const sink = new DatapathSink(this.#datapath, view, node.id);
    this.#reconciler = new Reconciler({ view, desired: this.#desired, sink, log });
    const admission = { check: async () => undefined };
    this.#membership = new Membership({ ...this.#cluster, health, node, admission, log, notices });
    const own = new Set(networks.map(({ id }) => id));
    this.#watch = new ClusterWatch({
      store,
      view,
      health,
      log,
      notices,
      node: node.id,
      admitted: Promise.resolve(true),
      revision: undefined,
      onChange: () => this.#reconciler.kick(),
      onRelist: () => this.#reconciler.kickCompare(),
      onOwnNode: (record) => this.#membership.seen(record),
      isLocal: (id) => this.#locals.has(id),
      onLocalGone: () => undefined,
      isInUse: (id) => own.has(id),
      onNetworkGone: () => undefined,
    });
  }

  /** How many MACs packets can be sent to. */
  get reachable(): number {
    return this.#datapath.tables.fdb.size;
  }

  /** Resolves when it is registered and its maps are what etcd says. */
  async start(): Promise<void> {
    const { node, networks } = this.#options;
    this.view.putNode(node);
    this.view.putAlive(node.id);
    for (const { id } of networks) this.#watch.hold(id);
    await Promise.all([this.#membership.start(), this.#watch.start()]);
    for (const id of this.view.idsOfNode(node.id)) this.#attach(id);
    await this.#reconciler.open();
  }

  /** Resolves when etcd has it; returns its id. */
  async attach(network: Network, { name, mac }: Pick<Endpoint, 'name' | 'mac'>): Promise<string> {
    const { node } = this.#options;
    const choice = this.#choices.of(network.id);
    const taken = [...this.view.addressesOfNetwork(network.id), ...this.#choices.taken(network.id)];
    let prepared: string | undefined;
    try {
      const input = { name, mac, node: node.id };
      const { id } = await createEndpoint(this.#cluster, network, input, taken, async (endpoint) => {
        choice.replace(endpoint.addresses);
        prepared = endpoint.id;
        this.view.putEndpoint(endpoint);
        this.#attach(endpoint.id);
        await this.#reconciler.flush();
      });
      return id;
    } catch (error) {
      if (prepared !== undefined) await this.#forget(prepared);
      throw error;
    } finally {
      choice.replace([]);
    }
  }

  /** Of an endpoint of this agent. Resolves when etcd has forgotten it. */
  async detach(id: string): Promise<void> {
    const endpoint = this.view.endpoints.get(id);
    await this.#forget(id);
    if (endpoint) await deleteEndpoint(this.#store, endpoint);
  }

  async close(): Promise<void> {
    await this.#membership.close();
    await this.#watch.close();
    await this.#reconciler.close();
    this.#store.close();
  }

  #attach(id: string): void {
    this.#locals.add(id);
    this.#lastIfindex += 1;
    this.#desired.attach(id, { ifindex: this.#lastIfindex, slot: this.#lastIfindex - FIRST_IFINDEX });
  }

  async #forget(id: string): Promise<void> {
    this.#locals.delete(id);
    this.#desired.detach(id);
    this.view.deleteEndpoint(id);
    await this.#reconciler.flush();
  }
}
