/*
 * The life of the endpoints attached on this node. Each step leaves its trace after the journal knows of it:
 *
 *     journal "attaching" → veth → program → rows → etcd (addresses, MAC, record) → names → journal "attached"
 *
 * The interface is ready before etcd tells others of it, with the addresses that it will most likely get: who learns
 * of an endpoint talks to it at once, and a first packet that gets lost costs a second.
 *
 * One way leads back, whatever was reached: `dismantle` removes every trace in the reverse order and is harmless where
 * there is none. A detach, a failed attach, a vanished namespace and a crash found at the start all end there.
 * What etcd holds is removed last; while etcd is away the journal keeps the endpoint as "detaching" and it is tried
 * again when etcd is back. What etcd loses of an endpoint is registration.ts's business.
 *
 * Operations on one interface name of one namespace are serial, all others run side by side.
 */
import type { Logger } from 'pino';
import type { AttachRequest } from '../model/api.js';
import { NotFound, PlaitError, StoreRefused, StoreUnavailable } from '../model/errors.js';
import { type Endpoint, type Network, randomId } from '../model/records.js';
import type { ClusterView } from '../model/view.js';
import { resolveNamespace } from '../net/namespaces.js';
import type { LinkKind } from '../net/netkit.js';
import { createVeth, hostIfname } from '../net/veth.js';
import { createEndpoint, getEndpoint } from '../store/endpoints.js';
import type { ClusterAccess } from '../store/writes.js';
import { Choices } from './choices.js';
import type { ClusterWatch } from './cluster-watch.js';
import type { Connector } from './connector.js';
import { HandedEndpoints } from './handed-endpoints.js';
import { endpointInput, interfaceSpec } from './interface-spec.js';
import type { Journal, JournalEntry } from './journal.js';
import { KeyedLock } from './keyed-lock.js';
import type { Local, Locals } from './locals.js';
import type { Reconciler } from './reconciler.js';
import { refuseRival, refuseTaken } from './refusals.js';
import { StepClock } from './step-clock.js';
import type { StoreHealth } from './store-health.js';

export interface EndpointsOptions extends ClusterAccess {
  readonly node: string;
  readonly view: ClusterView;
  readonly watch: ClusterWatch;
  readonly reconciler: Reconciler;
  readonly connector: Connector;
  readonly journal: Journal;
  readonly locals: Locals;
  readonly health: StoreHealth;
  readonly log: Logger;
  /** What a new container's pair of devices is. */
  readonly link: LinkKind;
}

export interface Changed {
  readonly endpoint: Endpoint;
  readonly warnings: string[];
}

const retryMs = 5000;

export class Endpoints {
  /** Those whose interfaces somebody else sets up. */
  readonly handed: HandedEndpoints;
  readonly #options: EndpointsOptions;
  readonly #locks = new KeyedLock();
  readonly #choices = new Choices();
  /** Networks that are held for an endpoint, so that each is given back once. */
  readonly #held = new Map<string, string>();
  readonly #retry: NodeJS.Timeout;

  constructor(options: EndpointsOptions) {
    this.#options = options;
    this.handed = new HandedEndpoints({
      ...options,
      choices: this.#choices,
      taken: (network) => this.#taken(network),
      inTurn: (entry, work) => this.#locks.run(lockKey(entry), work),
      hold: (entry) => this.#hold(entry, () => undefined),
      undo: (entry, cause) => this.#undoAttach(entry, cause),
      detach: (id) => this.detach(id),
    });
    this.#retry = setInterval(() => void this.#sweep(), retryMs);
  }

  /** Resolves when nothing is under way any more. */
  async close(): Promise<void> {
    clearInterval(this.#retry);
    await this.#locks.idle();
  }

  /** Endpoints that etcd still has to hear are gone. */
  get pending(): JournalEntry[] {
    return this.#options.journal.values().filter(({ phase }) => phase === 'detaching');
  }

  async attach(request: AttachRequest, network: Network): Promise<Changed> {
    refuseRival(this.#options.view, network);
    const namespace = await resolveNamespace(request.netns);
    const id = randomId();
    const entry: JournalEntry = {
      id,
      phase: 'attaching',
      network: network.id,
      netns: namespace.path,
      netnsInode: namespace.inode,
      ifname: request.ifname ?? 'eth0',
      hostIfname: hostIfname(id),
    };
    return this.#locks.run(lockKey(entry), () => this.#attach(entry, request, network));
  }

  /** Detaches an endpoint of this node; etcd may hear of it later, which the warnings say. */
  async detach(id: string): Promise<string[]> {
    const { journal } = this.#options;
    const entry = journal.get(id);
    if (entry === undefined) throw new NotFound('endpoint', id);
    return this.#locks.run(lockKey(entry), async () => {
      const current = journal.get(id);
      if (current === undefined) throw new NotFound('endpoint', id);
      return this.#dismantle(current);
    });
  }

  /** Takes over an endpoint that an earlier agent attached and whose host end exists. */
  async adopt(entry: JournalEntry, endpoint: Endpoint, ifindex: number): Promise<void> {
    const { watch, connector, log } = this.#options;
    this.#hold(entry, () => watch.hold(entry.network));
    await connector.adopt(entry, endpoint, ifindex);
    for (const warning of await connector.serveNames(entry)) log.warn({ endpoint: entry.id }, warning);
    if (entry.handed && entry.netnsInode === 0) this.handed.followIn(entry.id);
  }

  /** Removes what is left of an endpoint that was never attached, or not to its end. */
  async undo(entry: JournalEntry): Promise<void> {
    await this.#locks.run(lockKey(entry), () => this.#dismantle(entry));
  }

  /** Runs the work while nothing else is done with the endpoint, if it is attached then. */
  async withLocal(
    id: string,
    work: (local: Local, dismantle: () => Promise<unknown>) => Promise<void>,
  ): Promise<void> {
    const { locals } = this.#options;
    const entry = locals.get(id)?.entry;
    if (entry === undefined) return;
    await this.#locks.run(lockKey(entry), async () => {
      const local = locals.get(id);
      if (local !== undefined) await work(local, () => this.#dismantle(local.entry));
    });
  }

  undoSoon(entry: JournalEntry): void {
    const { log } = this.#options;
    void this.undo(entry).catch((error) =>
      log.warn({ endpoint: entry.id, err: error }, 'could not remove what is left of an endpoint'),
    );
  }

  async retryPending(): Promise<void> {
    const { log, health } = this.#options;
    for (const entry of this.pending) {
      if (health.state !== 'connected') return;
      try {
        await this.#locks.run(lockKey(entry), async () => {
          const current = this.#options.journal.get(entry.id);
          if (current?.phase === 'detaching') await this.#dismantle(current);
        });
      } catch (error) {
        log.warn({ endpoint: entry.id, err: error }, 'could not finish a detach');
      }
    }
  }

  async #sweep(): Promise<void> {
    await this.retryPending();
    await this.handed.sweep();
  }

  async #attach(start: JournalEntry, request: AttachRequest, network: Network): Promise<Changed> {
    const { watch, journal, connector, reconciler, log } = this.#options;
    const clock = new StepClock();
    await watch.acquire(network.id);
    this.#hold(start, () => undefined);
    clock.done('follow');
    let entry = start;
    try {
      await journal.write(entry);
      clock.done('journal');
      const endpoint = await this.#create(entry, request, network, clock);
      entry = { ...entry, endpoint };
      clock.done('etcd');
      const [warnings] = await Promise.all([connector.serveNames(entry), reconciler.settled()]);
      clock.done('names and gateway');
      await journal.write({ ...entry, phase: 'attached' });
      connector.announceSoon(entry, endpoint);
      log.info({ endpoint: entry.id, name: endpoint.name, netns: entry.netns, ms: clock.steps }, 'attached');
      return { endpoint, warnings };
    } catch (error) {
      await this.#undoAttach(entry, error);
      throw error;
    }
  }

  async #undoAttach(entry: JournalEntry, cause: unknown): Promise<void> {
    try {
      await this.#dismantle(entry, recordAfter(entry, cause));
    } catch (error) {
      const { log } = this.#options;
      log.error({ endpoint: entry.id, err: error }, 'could not undo a failed attach; it will be tried again');
    }
  }

  /** Makes the interface, then the record; the interface anew when somebody else took its addresses first. */
  async #create(
    start: JournalEntry,
    request: AttachRequest,
    network: Network,
    clock: StepClock,
  ): Promise<Endpoint> {
    const { node } = this.#options;
    const choice = this.#choices.of(network.id);
    let made: JournalEntry | undefined;
    const prepare = async (endpoint: Endpoint): Promise<void> => {
      choice.replace(endpoint.addresses);
      if (made !== undefined) await this.#options.connector.disconnect(made);
      made = { ...start, endpoint };
      const ifindex = await createVeth({
        ...interfaceSpec(made, endpoint, network),
        kind: this.#options.link,
      });
      clock.done('interface');
      await this.#options.connector.connect(made, endpoint, network, ifindex);
      clock.done('rows');
    };
    try {
      const input = { ...endpointInput(request), id: start.id, node };
      refuseTaken(this.#options.view, input, network);
      return await createEndpoint(this.#options, network, input, this.#taken(network), prepare);
    } finally {
      choice.replace([]);
    }
  }

  #taken({ id }: Network): string[] {
    return [...this.#options.view.addressesOfNetwork(id), ...this.#choices.taken(id)];
  }

  async #dismantle(entry: JournalEntry, record: Trace = 'possible'): Promise<string[]> {
    const { journal, log } = this.#options;
    // A full disk holds up no end: until the entry is removed, what it says leads the next agent to the same end.
    await journal
      .write({ ...entry, phase: 'detaching' })
      .catch((error) =>
        log.warn({ endpoint: entry.id, err: error }, 'could not note the end of an endpoint'),
      );
    const { connector } = this.#options;
    await connector.cut(entry);
    await connector.serveNames(entry);
    // The kernel takes as long for the one as etcd for the other. Neither leaves the other half done.
    const [removed, given] = await Promise.allSettled([
      connector.removeInterface(entry),
      this.#giveBack(entry, record),
    ]);
    if (removed.status === 'rejected') throw removed.reason;
    if (given.status === 'rejected') throw given.reason;
    if (given.value.isDone) await journal.remove(entry.id);
    this.#letGo(entry);
    return given.value.warnings;
  }

  /** What etcd holds of it; where that has to wait, the warnings say why. */
  async #giveBack(entry: JournalEntry, record: Trace): Promise<{ isDone: boolean; warnings: string[] }> {
    const { store, writes, node } = this.#options;
    if (record === 'out of reach') return { isDone: false, warnings: [] };
    try {
      const endpoint =
        entry.endpoint ?? (record === 'none' ? undefined : await getEndpoint(store, { ...entry, node }));
      if (endpoint !== undefined) await writes.removeEndpoints([endpoint]);
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
      const warning = `its record and addresses are given back when etcd answers again: ${error.message}`;
      return { isDone: false, warnings: [warning] };
    }
    return { isDone: true, warnings: [] };
  }

  #hold(entry: JournalEntry, hold: () => void): void {
    if (this.#held.has(entry.id)) return;
    this.#held.set(entry.id, entry.network);
    hold();
  }

  #letGo(entry: JournalEntry): void {
    const network = this.#held.get(entry.id);
    if (network === undefined) return;
    this.#held.delete(entry.id);
    this.#options.watch.release(network);
  }
}

/**
 * What etcd may hold of an endpoint that has to go. Out of reach: etcd did not answer a moment ago, and whoever waits
 * for a failed attach need not wait for it twice; the journal keeps the entry until it is back.
 */
type Trace = 'none' | 'possible' | 'out of reach';

/** After a failed attach: what etcd refused it does not hold; in doubt, look. */
function recordAfter({ endpoint }: JournalEntry, cause: unknown): Trace {
  if (cause instanceof StoreUnavailable) return 'out of reach';
  if (endpoint !== undefined || !(cause instanceof PlaitError)) return 'possible';
  return cause.isTransient || cause instanceof StoreRefused ? 'possible' : 'none';
}

/** What is handed over has another namespace later, and one name all along. */
function lockKey({ id, netnsInode, ifname, handed }: JournalEntry): string {
  return handed ? id : `${netnsInode}/${ifname}`;
}
