/*
 * Keeps the view in step with etcd: nodes, leases and networks always, the endpoints of a network only while
 * somebody here is interested in it. What is to be distrusted on the way: record-scope.ts.
 */
import type { Logger } from 'pino';
import { StoreUnavailable } from '../model/errors.js';
import type { Endpoint, Network, Node } from '../model/records.js';
import type { ClusterView } from '../model/view.js';
import { patience } from '../patience.js';
import type { Follower } from '../store/follow.js';
import type { Store } from '../store/store.js';
import { followAlive, followEndpoints, followNetworks, followNodes } from '../store/watch.js';
import { History, RecordScope, type Scope } from './record-scope.js';
import type { StoreHealth } from './store-health.js';

export interface ClusterWatchOptions {
  readonly store: Store;
  readonly view: ClusterView;
  /** Id of this node: its own record and lease are in the view whatever etcd says, since it evidently lives. */
  readonly node: string;
  /** Nothing is asked before it resolves, and nothing at all when that is with false. */
  readonly admitted: Promise<boolean>;
  /** Of what the view holds already. */
  readonly revision: string | undefined;
  readonly health: StoreHealth;
  readonly log: Logger;
  /** Something in the view may have changed. */
  readonly onChange: () => void;
  /** A new list replaced one from before a gap. */
  readonly onRelist: () => void;
  /** What etcd has of this node now; the view's record of it is that of the agent, which knows better. */
  readonly onOwnNode: (record: Node | undefined) => void;
  /** Endpoints attached here stay in the view when etcd loses them: they exist, whatever it says. */
  readonly isLocal: (endpoint: string) => boolean;
  readonly onLocalGone: (endpoint: string) => void;
  /**
   * Networks with an endpoint attached here stay as well: a network that has one cannot be removed, so etcd has lost
   * it.
   */
  readonly isInUse: (network: string) => boolean;
  readonly onNetworkGone: (network: string) => void;
  /** For a person: records that cannot be read. */
  readonly notices: Map<string, string>;
  /** How long `acquire` waits for etcd, in milliseconds. */
  readonly timeoutMs?: number;
  /** How long agents are given to write again what a restored etcd lacks, in milliseconds. */
  readonly graceMs?: number;
}

interface Interest {
  holders: number;
  readonly follower: Follower;
  readonly scope: RecordScope<Endpoint>;
  synced: boolean;
}

const defaultGraceMs = 30_000;

export class ClusterWatch {
  readonly #options: ClusterWatchOptions;
  readonly #always: Follower[] = [];
  readonly #interests = new Map<string, Interest>();
  readonly #history: History;
  #isClosed = false;

  constructor(options: ClusterWatchOptions) {
    this.#options = options;
    this.#history = new History(options.revision, options.graceMs ?? defaultGraceMs);
  }

  /** Of the newest thing known; undefined when nothing ever was. */
  get revision(): string | undefined {
    return this.#history.revision;
  }

  /**
   * Starts following what every node follows. Resolves when that, and all that is held now, has been listed once: the
   * view is complete. False: closed before.
   */
  async start(): Promise<boolean> {
    const { view, store, node: self, isInUse, onNetworkGone } = this.#options;
    const nodes = this.#scope<Node>({
      noun: 'nodes',
      idOf: ({ id }) => id,
      known: () => view.nodes.keys(),
      put: (node) => (node.id === self ? this.#ownNode(node) : view.putNode(node)),
      remove: (id) => (id === self ? this.#ownNode(undefined) : view.deleteNode(id)),
      replace: (all, keep) => {
        view.replaceNodes(
          all.filter(({ id }) => id !== self),
          new Set([...keep, self]),
        );
        this.#ownNode(all.find(({ id }) => id === self));
      },
    });
    const alive = this.#scope<string>({
      noun: 'signs of life',
      idOf: (id) => id,
      known: () => [], // A node that lives says so again within seconds.
      put: (id) => view.putAlive(id),
      remove: (id) => id !== self && view.deleteAlive(id),
      replace: (all) => view.replaceAlive([...all, self]),
    });
    const networks = this.#scope<Network>({
      noun: 'networks',
      idOf: ({ id }) => id,
      known: () => view.networks.keys(),
      put: (network) => view.putNetwork(network),
      remove: (id) => (isInUse(id) ? onNetworkGone(id) : view.deleteNetwork(id)),
      replace: (all, keep) => {
        const listed = new Set(all.map(({ id }) => id));
        const gone = [...view.networks.keys()].filter((id) => isInUse(id) && !listed.has(id));
        view.replaceNetworks(all, new Set([...keep, ...gone]));
        for (const id of gone) onNetworkGone(id);
      },
    });
    if (!(await this.#options.admitted) || this.#isClosed) return false;
    this.#always.push(followNodes(store, nodes), followAlive(store, alive), followNetworks(store, networks));
    const all = [...this.#always, ...[...this.#interests.values()].map(({ follower }) => follower)];
    await Promise.all(all.map((follower) => follower.synced));
    return !this.#isClosed;
  }

  /** Registers an interest in the network's endpoints, without waiting. Each needs its `release`. */
  hold(network: string): void {
    const known = this.#interests.get(network);
    if (known) known.holders += 1;
    else this.#interests.set(network, this.#followEndpoints(network));
  }

  /** As `hold`, and resolves when the endpoints are known. Rejects, holding nothing, when etcd stays away. */
  async acquire(network: string): Promise<void> {
    this.hold(network);
    try {
      await this.#synced(network);
    } catch (error) {
      this.release(network);
      throw error;
    }
  }

  holds(network: string): boolean {
    return this.#interests.has(network);
  }

  release(network: string): void {
    const interest = this.#interests.get(network);
    if (interest === undefined) return;
    interest.holders -= 1;
    if (interest.holders > 0) return;
    this.#interests.delete(network);
    void interest.follower.close();
    interest.scope.close();
    this.#options.view.replaceEndpoints(network, []);
    this.#options.onChange();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const followers = [...this.#always, ...[...this.#interests.values()].map(({ follower }) => follower)];
    this.#interests.clear();
    await Promise.all(followers.map((follower) => follower.close()));
  }

  async #synced(network: string): Promise<void> {
    const interest = this.#interests.get(network);
    if (interest === undefined || interest.synced) return;
    const { timeoutMs = patience(3000), health, store } = this.#options;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const reason = () => health.error ?? `reach etcd at ${store.where}: no answer in time`;
      timer = setTimeout(() => reject(new StoreUnavailable(reason())), timeoutMs);
    });
    try {
      await Promise.race([interest.follower.synced, late]);
      if (this.#isClosed) throw new StoreUnavailable('follow network: the agent stops');
      interest.synced = true;
    } finally {
      clearTimeout(timer);
    }
  }

  /** What others may say of this node are its labels. */
  #ownNode(record: Node | undefined): void {
    const { view, node, onOwnNode } = this.#options;
    const own = view.nodes.get(node);
    if (record && own) view.putNode({ ...own, labels: record.labels });
    onOwnNode(record);
  }

  #followEndpoints(network: string): Interest {
    const { view, store, isLocal, onLocalGone } = this.#options;
    const scope = this.#scope<Endpoint>({
      noun: 'endpoints',
      idOf: ({ id }) => id,
      known: () => view.idsOfNetwork(network),
      put: (endpoint) => view.putEndpoint(endpoint),
      remove: (id) => (isLocal(id) ? onLocalGone(id) : view.deleteEndpoint(id)),
      replace: (all, keep) => {
        const listed = new Set(all.map(({ id }) => id));
        const gone = view.idsOfNetwork(network).filter((id) => isLocal(id) && !listed.has(id));
        view.replaceEndpoints(network, all, new Set([...keep, ...gone]));
        for (const id of gone) onLocalGone(id);
      },
    });
    const follower = this.#whenAdmitted(() => followEndpoints(store, network, scope));
    return { holders: 1, follower, scope, synced: false };
  }

  #whenAdmitted(begin: () => Follower): Follower {
    let begun: Follower | undefined;
    let isClosed = false;
    const synced = this.#options.admitted.then(async (isAdmitted) => {
      if (!isAdmitted || isClosed) return;
      begun = begin();
      await begun.synced;
    });
    return {
      synced,
      close: async () => {
        isClosed = true;
        await begun?.close();
      },
    };
  }

  #scope<T>(scope: Scope<T>): RecordScope<T> {
    return new RecordScope(scope, { ...this.#options, history: this.#history });
  }
}
