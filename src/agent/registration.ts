/*
 * Writes to etcd again what it has lost of this node's attached endpoints and of their networks: somebody restored a
 * backup, replaced etcd by an empty one, or removed a key by hand. The containers are there whatever etcd says, and
 * their traffic goes on meanwhile. What cannot be written waits, is told in the status, and is tried again.
 *
 * An endpoint is given up in one case only: somebody else holds its address or its MAC by now, and both would suffer.
 */
import type { Logger } from 'pino';
import { AddressTaken, MacTaken, NotFound } from '../model/errors.js';
import type { Endpoint, Network } from '../model/records.js';
import type { ClusterView } from '../model/view.js';
import { createEndpoint, getEndpoint } from '../store/endpoints.js';
import type { ClusterAccess } from '../store/writes.js';
import type { Endpoints } from './endpoints.js';
import { KeyedLock } from './keyed-lock.js';
import type { Locals } from './locals.js';
import type { Reconciler } from './reconciler.js';

export interface RegistrationOptions extends ClusterAccess {
  readonly view: ClusterView;
  readonly locals: Locals;
  readonly endpoints: Pick<Endpoints, 'withLocal'>;
  readonly reconciler: Pick<Reconciler, 'kick'>;
  /** For a person: what waits, and what was given up. */
  readonly notices: Map<string, string>;
  readonly log: Logger;
}

const retryMs = 5000;
/** A whole node's endpoints at once would be a burst that etcd answers late. */
const parallel = 8;

export class Registration {
  readonly #options: RegistrationOptions;
  readonly #networkLocks = new KeyedLock();
  /** Ids of endpoints that etcd lacks. */
  readonly #waiting = new Set<string>();
  readonly #retry: NodeJS.Timeout;
  #running: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: RegistrationOptions) {
    this.#options = options;
    this.#retry = setInterval(() => this.#run(), retryMs);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#retry);
    await this.#running;
  }

  endpointGone(id: string): void {
    this.#waiting.add(id);
    this.#run();
  }

  networkGone(id: string): void {
    for (const { entry } of this.#options.locals.values()) {
      if (entry.network === id) this.#waiting.add(entry.id);
    }
    this.#run();
  }

  #run(): void {
    if (this.#isClosed || this.#waiting.size === 0) return;
    this.#running ??= this.#registerAll().finally(() => {
      this.#running = undefined;
    });
  }

  /** Each that waits once, those that come meanwhile included. */
  async #registerAll(): Promise<void> {
    const { notices } = this.#options;
    const failed: string[] = [];
    const ids = this.#waiting.values();
    const worker = async (): Promise<void> => {
      for (const id of ids) {
        if (this.#isClosed) return;
        const failure = await this.#register(id);
        if (failure === undefined) this.#waiting.delete(id);
        else failed.push(failure);
      }
    };
    await Promise.all(Array.from({ length: parallel }, worker));
    const [reason] = failed;
    if (reason === undefined) notices.delete('registration');
    else notices.set('registration', `etcd lacks ${failed.length} endpoint(s) attached here: ${reason}`);
  }

  /** Returns why it could not be done. */
  async #register(id: string): Promise<string | undefined> {
    const { endpoints, log } = this.#options;
    try {
      await endpoints.withLocal(id, async ({ endpoint }, dismantle) => {
        await this.#restore(endpoint).catch(async (error) => {
          if (!(error instanceof AddressTaken || error instanceof MacTaken)) throw error;
          this.#gaveUp(endpoint, error);
          await dismantle();
        });
      });
      return undefined;
    } catch (error) {
      log.warn({ endpoint: id, err: error }, 'could not write an endpoint to etcd again');
      return error instanceof Error ? error.message : String(error);
    }
  }

  async #restore(endpoint: Endpoint): Promise<void> {
    const { store, view, reconciler, log } = this.#options;
    const { id, name } = endpoint;
    const network = view.networks.get(endpoint.network);
    if (network === undefined) throw new NotFound('network', endpoint.network);
    await this.#networkLocks.run(network.id, () => this.#restoreNetwork(network, endpoint));
    const recorded = await getEndpoint(store, endpoint);
    view.putEndpoint(recorded ?? (await this.#createAgain(endpoint, network)));
    reconciler.kick();
    if (recorded === undefined) log.warn({ endpoint: id, name }, 'etcd had lost an endpoint: written again');
  }

  async #restoreNetwork(network: Network, endpoint: Endpoint): Promise<void> {
    const { writes, log } = this.#options;
    if (!(await writes.restoreNetwork(network, endpoint))) return;
    log.warn({ network: network.id, name: network.name }, 'etcd had lost a network: written again');
  }

  /** Its addresses and its MAC may be left in etcd, and are then nobody's: they are given back and taken again. */
  async #createAgain(endpoint: Endpoint, network: Network): Promise<Endpoint> {
    await this.#options.writes.removeEndpoints([endpoint]);
    const { id, name, node, addresses, mac, aliases, labels } = endpoint;
    return createEndpoint(this.#options, network, { id, name, node, addresses, mac, aliases, labels });
  }

  #gaveUp({ id, name }: Endpoint, error: Error): void {
    const { notices, log } = this.#options;
    notices.set('given up', `endpoint ${name} was detached, since etcd had lost it: ${error.message}`);
    log.error({ endpoint: id, name, err: error }, 'gave up an endpoint that etcd has lost');
  }
}
