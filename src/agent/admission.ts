/*
 * Whether the etcd that answers is that of this node's cluster. An agent that is started with another cluster's --etcd
 * would take what it finds there, and what it does not find, for news: it would write its endpoints among strangers'.
 *
 * It is the cluster's when it knows anybody or anything that this node knew, or when it is empty, as after a loss that
 * the agents make good (registration.ts). A node without endpoints has nothing to lose and may go wherever it is told.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { PlaitError } from '../model/errors.js';
import { listNetworks } from '../store/networks.js';
import { listNodes } from '../store/nodes.js';
import type { Store } from '../store/store.js';

export class OtherCluster extends PlaitError {
  constructor(where: string, endpoints: number) {
    super(
      'OTHER_CLUSTER',
      `join cluster: etcd at ${where} has no node and no network of the cluster of the ${endpoints} endpoint(s) here`,
      { hint: 'correct --etcd; to change clusters, detach all endpoints first; traffic goes on meanwhile' },
    );
  }
}

const pauseMs = 500;

export interface AdmissionOptions {
  readonly store: Store;
  readonly node: string;
  /** How many endpoints are attached here. */
  readonly endpoints: () => number;
  /** etcd is away, or another cluster's. */
  readonly onRefused: (error: Error) => void;
  /** Ids of the nodes and networks that the last agent knew. */
  readonly known: readonly string[] | undefined;
}

export class Admission {
  readonly #options: AdmissionOptions;
  readonly #ending = new AbortController();
  #isAdmitted = false;
  #settle: (isAdmitted: boolean) => void = () => undefined;
  /** Resolves when etcd has answered and is the cluster's; with false when the agent ends before. */
  readonly admitted = new Promise<boolean>((resolve) => {
    this.#settle = resolve;
  });

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** Asks until the answer is yes. */
  async start(): Promise<void> {
    const { signal } = this.#ending;
    while (!this.#isAdmitted && !signal.aborted) {
      try {
        await this.check();
      } catch (error) {
        this.#options.onRefused(error as Error);
        await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  close(): void {
    this.#ending.abort();
    this.#settle(false);
  }

  /** Throws OtherCluster, or as the store does. What was right once is not asked again. */
  async check(): Promise<void> {
    const { store, node, endpoints, known } = this.#options;
    if (this.#isAdmitted) return;
    if (endpoints() > 0 && known !== undefined) {
      const found = [...(await listNodes(store)), ...(await listNetworks(store))].map(({ id }) => id);
      const ours = new Set([node, ...known]);
      const isOurs = found.length === 0 || found.some((id) => ours.has(id));
      if (!isOurs) throw new OtherCluster(store.where, endpoints());
    }
    this.#isAdmitted = true;
    this.#settle(true);
  }
}
