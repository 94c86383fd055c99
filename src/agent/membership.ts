/*
 * This node as the others see it: its record and its sign of life. Both are written as soon as etcd answers and again
 * whenever it has lost them; labels that somebody gave the node stay.
 */
import type { Logger } from 'pino';
import { PlaitError } from '../model/errors.js';
import type { Node } from '../model/records.js';
import { type KeptAlive, keepAlive } from '../store/alive.js';
import { getNode, registerNode } from '../store/nodes.js';
import type { ClusterAccess } from '../store/writes.js';
import type { Admission } from './admission.js';
import type { StoreHealth } from './store-health.js';

export interface MembershipOptions extends ClusterAccess {
  readonly health: StoreHealth;
  readonly node: Node;
  /** Asked before anything is written. */
  readonly admission: Pick<Admission, 'check'>;
  readonly log: Logger;
  /** For a person: why this node is not known to the others. */
  readonly notices: Map<string, string>;
}

const pingMs = 5000;
const notice = 'membership';
const rivalNotice = 'other node of this id';

export class Membership {
  readonly #options: MembershipOptions;
  #alive: KeptAlive | undefined;
  #ping: NodeJS.Timeout | undefined;
  #registering: Promise<void> | undefined;
  #isRegistered = false;
  #departs = false;

  constructor(options: MembershipOptions) {
    this.#options = options;
  }

  /** Rejects when etcd answers and refuses this node; an etcd that is away is tried again in the background. */
  async start(): Promise<void> {
    const { store, health, node } = this.#options;
    health.onRecovered(() => {
      if (!this.#isRegistered) this.#register();
    });
    this.#ping = setInterval(() => void this.#checkStore(), pingMs);
    this.#registering = this.#write().finally(() => {
      this.#registering = undefined;
    });
    await this.#registering.catch((error) => {
      if (!isTransient(error)) throw error;
      this.#lost(error);
    });
    this.#alive = keepAlive(store, node.id, {
      onAlive: () => health.contact(),
      onLost: (error) => this.#lost(error),
    });
  }

  /**
   * What etcd has of this node. A record that is gone is written again at once; one that says something else is
   * somebody's who believes to be this node, and who would write as fast: that waits for the next look at etcd.
   */
  seen(record: Node | undefined): void {
    const { node, notices, log } = this.#options;
    if (!this.#isRegistered) return;
    if (record === undefined) {
      this.#register();
      return;
    }
    if (record.vtep === node.vtep && record.name === node.name) return;
    const text = `etcd had this node as ${record.name} at ${record.vtep}`;
    const cause =
      'another agent uses its id, as when a state directory is copied, or somebody edited the record';
    notices.set(rivalNotice, `${text}: ${cause}`);
    log.error({ record }, `${text}; it is corrected`);
    this.#isRegistered = false;
  }

  #register(): void {
    if (this.#departs) return; // an etcd that comes back meanwhile must not hear of this node again
    this.#isRegistered = false;
    this.#registering ??= this.#write()
      .catch((error) => this.#failed(error))
      .finally(() => {
        this.#registering = undefined;
      });
  }

  /** For good: the next `close` takes the sign of life away at once. */
  depart(): void {
    this.#departs = true;
  }

  /** Leaves the lease to its end: an agent that is back within seconds never was away. */
  async close(): Promise<void> {
    clearInterval(this.#ping);
    await this.#registering?.catch(() => undefined);
    await this.#alive?.close({ leave: !this.#departs });
  }

  async #write(): Promise<void> {
    const { store, health, node, notices, log, admission } = this.#options;
    await admission.check();
    const known = await getNode(store, node.id);
    const record = known && { ...known, name: node.name, vtep: node.vtep, version: node.version };
    await registerNode(this.#options, record ?? node);
    this.#isRegistered = true;
    notices.delete(notice);
    health.contact();
    log.info({ node: node.id, name: node.name, vtep: node.vtep }, 'registered this node');
  }

  #failed(error: unknown): void {
    const { notices, log } = this.#options;
    if (isTransient(error)) {
      this.#lost(error);
      return;
    }
    const message = error instanceof Error ? error.message : String(error);
    const isNews = notices.get(notice) === undefined;
    notices.set(notice, `this node is not registered: ${message}`);
    if (isNews) log.error({ err: error }, 'etcd refuses this node');
  }

  async #checkStore(): Promise<void> {
    const { store, health, notices } = this.#options;
    try {
      await store.ping();
    } catch (error) {
      this.#lost(error as Error);
      return;
    }
    health.contact();
    // Refused before, or replaced: what stood in the way may be gone.
    if (!this.#isRegistered) this.#register();
    else notices.delete(rivalNotice);
  }

  #lost(error: Error): void {
    const { health, log } = this.#options;
    if (health.lost(error)) log.warn({ reason: error.message }, 'etcd is not reachable');
  }
}

function isTransient(error: unknown): error is PlaitError {
  return error instanceof PlaitError && error.isTransient;
}
