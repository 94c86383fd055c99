/*
 * How this host leaves the cluster: first etcd, then the host. Until etcd has forgotten the node nothing here is
 * touched, so that a failure leaves a member as it was; from then on every step is harmless where there is nothing to
 * do, and whoever is killed half way is finished by `plait leave --force` (host-cleaning.ts is the same for both).
 *
 * The parts of the agent end before etcd forgets: they would take the missing records for a loss, and mend it. Only
 * the API lives on, to say how it went.
 */
import type { Logger } from 'pino';
import type { ClusterLink } from '../cluster/link.js';
import type { LeaveAnswer, LeaveRequest } from '../model/api.js';
import { PlaitError, StoreUnavailable } from '../model/errors.js';
import type { Paths } from '../model/paths.js';
import type { Node } from '../model/records.js';
import type { Store } from '../store/store.js';
import type { ClusterAccess } from '../store/writes.js';
import type { Gate } from './gate.js';
import { cleanHost, removeDirectories, type Stay, whatStays } from './host-cleaning.js';
import type { Journal } from './journal.js';
import type { Locals } from './locals.js';
import type { Membership } from './membership.js';
import type { Releasers } from './releasers.js';

export class StillAttached extends PlaitError {
  constructor(names: readonly string[]) {
    const shown = names.slice(0, 10).join(', ') + (names.length > 10 ? ', …' : '');
    super('ENDPOINTS_ATTACHED', `leave cluster: ${names.length} endpoint(s) are attached: ${shown}`, {
      hint: 'detach them first, or use --force to take their interfaces away',
    });
  }
}

export interface DepartureParts extends ClusterAccess {
  readonly link: ClusterLink;
  readonly node: Node;
  readonly paths: Paths;
  readonly journal: Journal;
  readonly locals: Locals;
  readonly gate: Gate;
  readonly membership: Membership;
  readonly releasers: Releasers;
  readonly log: Logger;
}

/** What has to live until the answer is given. */
const kept = ['lock', 'network lock', 'cluster', 'api'];

export class Departure {
  readonly #parts: DepartureParts;
  #settle: { resolve: () => void; reject: (error: unknown) => void } | undefined;
  #hasLeft = false;
  /** Resolves when the host has left; rejects when the agent had to end and the host is a member still. */
  readonly ended = new Promise<void>((resolve, reject) => {
    this.#settle = { resolve, reject };
  });

  constructor(parts: DepartureParts) {
    this.#parts = parts;
    this.ended.catch(() => undefined); // an agent that is closed meanwhile has no one who waits for it
  }

  /** When everything is closed: what could not go before. */
  async finish(): Promise<void> {
    if (this.#hasLeft) await removeDirectories(this.#parts.paths);
  }

  async leave({ force = false }: LeaveRequest): Promise<LeaveAnswer> {
    const { gate, log, store } = this.#parts;
    await gate.close();
    try {
      if (!force) await this.#refuse(store);
    } catch (error) {
      gate.open();
      throw error;
    }
    log.info({ force }, 'leaving the cluster');
    try {
      const answer = await this.#leave(force);
      this.#hasLeft = true;
      this.#soon(() => this.#settle?.resolve());
      return answer;
    } catch (error) {
      this.#soon(() => this.#settle?.reject(error));
      throw error;
    }
  }

  async #refuse(store: Store): Promise<void> {
    const names = this.#names();
    if (names.length > 0) throw new StillAttached(names);
    await this.#parts.link.checkLeave();
    await store.ping().catch((error) => {
      if (!(error instanceof StoreUnavailable)) throw error;
      throw new StoreUnavailable(`leave cluster: ${error.message}`, error);
    });
  }

  async #leave(force: boolean): Promise<LeaveAnswer> {
    const { node, paths, journal, membership, releasers, log } = this.#parts;
    const detached = this.#names();
    const networks = new Set(journal.values().map(({ network }) => network));
    membership.depart();
    await releasers.release(log, kept);
    const stay = await this.#forget().then(
      () => undefined,
      (error: unknown): Stay => {
        if (!force) throw error;
        return { id: node.id, name: node.name, networks: [...networks], cause: messageOf(error) };
      },
    );
    await releasers.release(
      log,
      kept.filter((name) => name !== 'cluster'),
    ); // etcd may run in what is removed now
    await cleanHost(paths);
    return {
      node: { id: node.id, name: node.name },
      detached,
      warnings: stay === undefined ? [] : [whatStays(stay)],
    };
  }

  /** From here on this node is nobody to the others, whatever it has yet to clean here. */
  async #forget(): Promise<void> {
    const { node, writes, link } = this.#parts;
    await link.leave();
    await writes.removeNode(node);
  }

  #names(): string[] {
    return this.#parts.locals.values().map(({ endpoint }) => endpoint.name);
  }

  /** After the answer is on its way. */
  #soon(work: () => void): void {
    setImmediate(work);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
