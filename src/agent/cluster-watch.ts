/*
 * Keeps the view in step with etcd: nodes, leases and networks always, the endpoints of a network only while
 * somebody here is interested in it. A record that cannot be read is reported, and the one before it stays.
 */
import type { Logger } from 'pino';
import { StoreUnavailable } from '../model/errors.js';
import type { Endpoint, Network, Node } from '../model/records.js';
import type { ClusterView } from '../model/view.js';
import type { Follower } from '../store/follow.js';
import type { Store } from '../store/store.js';
import {
  followAlive,
  followEndpoints,
  followNetworks,
  followNodes,
  type RecordHandlers,
} from '../store/watch.js';
import type { StoreHealth } from './store-health.js';

export interface ClusterWatchOptions {
  readonly store: Store;
  readonly view: ClusterView;
  /** Id of this node: its own record and lease are in the view whatever etcd says, since it evidently lives. */
  readonly node: string;
  /** Of what the view holds already. */
  readonly revision: string | undefined;
  readonly health: StoreHealth;
  readonly log: Logger;
  /** Something in the view may have changed. */
  readonly onChange: () => void;
  /** A new list replaced one from before a gap. */
  readonly onRelist: () => void;
  /** etcd does not have this node's record (any more). */
  readonly onOwnNodeGone: () => void;
  /** Endpoints attached here stay in the view when etcd loses them: they exist, whatever it says. */
  readonly isLocal: (endpoint: string) => boolean;
  readonly onLocalGone: (endpoint: string) => void;
  /** How long `acquire` waits for etcd, in milliseconds. */
  readonly timeoutMs?: number;
}

interface Interest {
  holders: number;
  readonly follower: Follower;
  synced: boolean;
}

/** How the records of one kind get into the view. */
interface Scope<T> {
  readonly put: (record: T) => void;
  readonly remove: (id: string) => unknown;
  readonly replace: (records: readonly T[], keep: ReadonlySet<string>) => void;
}

export class ClusterWatch {
  readonly #options: ClusterWatchOptions;
  readonly #always: Follower[] = [];
  readonly #interests = new Map<string, Interest>();
  #revision: string | undefined;
  #isClosed = false;

  constructor(options: ClusterWatchOptions) {
    this.#options = options;
    this.#revision = options.revision;
  }

  /** Of the newest thing known; undefined when nothing ever was. */
  get revision(): string | undefined {
    return this.#revision;
  }

  /**
   * Starts following what every node follows. Resolves when that, and all that is held now, has been listed once: the
   * view is complete. False: closed before.
   */
  async start(): Promise<boolean> {
    const { view, store, node: self, onOwnNodeGone } = this.#options;
    const nodes = this.#handlers<Node>({
      put: (node) => view.putNode(node),
      remove: (id) => (id === self ? onOwnNodeGone() : view.deleteNode(id)),
      replace: (all, keep) => {
        view.replaceNodes(all, new Set([...keep, self]));
        if (!all.some(({ id }) => id === self)) onOwnNodeGone();
      },
    });
    const alive = this.#handlers<string>({
      put: (id) => view.putAlive(id),
      remove: (id) => id !== self && view.deleteAlive(id),
      replace: (all) => view.replaceAlive([...all, self]),
    });
    const networks = this.#handlers<Network>({
      put: (network) => view.putNetwork(network),
      remove: (id) => view.deleteNetwork(id),
      replace: (all, keep) => view.replaceNetworks(all, keep),
    });
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
    const { timeoutMs = 3000, health, store } = this.#options;
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

  #followEndpoints(network: string): Interest {
    const { view, store, isLocal, onLocalGone } = this.#options;
    const handlers = this.#handlers<Endpoint>({
      put: (endpoint) => view.putEndpoint(endpoint),
      remove: (id) => (isLocal(id) ? onLocalGone(id) : view.deleteEndpoint(id)),
      replace: (all, keep) => {
        const listed = new Set(all.map(({ id }) => id));
        const gone = view
          .endpointsOfNetwork(network)
          .filter(({ id }) => isLocal(id) && !listed.has(id) && !keep.has(id))
          .map(({ id }) => id);
        view.replaceEndpoints(network, all, new Set([...keep, ...gone]));
        for (const id of gone) onLocalGone(id);
      },
    });
    return { holders: 1, follower: followEndpoints(store, network, handlers), synced: false };
  }

  #handlers<T>(scope: Scope<T>): RecordHandlers<T> {
    const { health, log, onChange, onRelist } = this.#options;
    let wasListed = false;
    return {
      onList: (records, unreadable, revision) => {
        this.#heard(revision);
        scope.replace(records, unreadable);
        if (wasListed) onRelist();
        else onChange();
        wasListed = true;
      },
      onPut: (record, revision) => {
        this.#heard(revision);
        scope.put(record);
        onChange();
      },
      onDelete: (id) => {
        health.contact();
        scope.remove(id);
        onChange();
      },
      onBad: (error) => log.warn({ key: error.key, err: error }, 'skipped a record that cannot be read'),
      onError: (error) => {
        if (health.lost(error)) log.warn({ err: error }, 'etcd is not reachable');
      },
    };
  }

  #heard(revision: string): void {
    this.#revision = revision;
    this.#options.health.contact();
  }
}
