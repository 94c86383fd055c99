/*
 * The life of the endpoints attached on this node. Each step leaves its trace after the journal knows of it:
 *
 *     journal "attaching" → veth → etcd (addresses, MAC, record) → rows → program → names → journal "attached"
 *
 * The interface is made before etcd tells others of it, with the addresses that it will most likely get: who learns
 * of an endpoint talks to it at once, and a first packet that gets lost costs a second. One way leads back, whatever was reached: `dismantle` removes every trace in the reverse order and is harmless
 * where there is none. A detach, a failed attach, a vanished namespace and a crash found at the start all end there.
 * What etcd holds is removed last; while etcd is away the journal keeps the endpoint as "detaching" and it is tried
 * again when etcd is back.
 *
 * Operations on one interface name of one namespace are serial, all others run side by side.
 */
import type { Logger } from 'pino';
import type { Datapath } from '../datapath/datapath.js';
import type { DnsServers } from '../dns/servers.js';
import type { AttachRequest } from '../model/api.js';
import type { DesiredRows } from '../model/desired.js';
import { NotFound, PlaitError, StoreUnavailable } from '../model/errors.js';
import { type Endpoint, type Network, randomId } from '../model/records.js';
import type { ClusterView } from '../model/view.js';
import { resolveNamespace } from '../net/namespaces.js';
import { createVeth, deleteVeth, hostIfname } from '../net/veth.js';
import { createEndpoint, deleteEndpoint, listEndpoints } from '../store/endpoints.js';
import type { Store } from '../store/store.js';
import { Choices } from './choices.js';
import type { ClusterWatch } from './cluster-watch.js';
import { endpointInput, interfaceSpec } from './interface-spec.js';
import type { Journal, JournalEntry } from './journal.js';
import { KeyedLock } from './keyed-lock.js';
import type { Locals } from './locals.js';
import type { Reconciler } from './reconciler.js';
import type { StoreHealth } from './store-health.js';

export interface EndpointsOptions {
  readonly node: string;
  readonly store: Store;
  readonly view: ClusterView;
  readonly watch: ClusterWatch;
  readonly desired: DesiredRows;
  readonly reconciler: Reconciler;
  readonly datapath: Datapath;
  readonly dns: DnsServers;
  readonly journal: Journal;
  readonly locals: Locals;
  readonly health: StoreHealth;
  readonly log: Logger;
}

export interface Changed {
  readonly endpoint: Endpoint;
  readonly warnings: string[];
}

interface Made {
  readonly endpoint: Endpoint;
  /** Of the host end. */
  readonly ifindex: number;
}

const retryMs = 5000;

export class Endpoints {
  readonly #options: EndpointsOptions;
  readonly #locks = new KeyedLock();
  readonly #choices = new Choices();
  /** Networks that are held for an endpoint, so that each is given back once. */
  readonly #held = new Map<string, string>();
  readonly #retry: NodeJS.Timeout;

  constructor(options: EndpointsOptions) {
    this.#options = options;
    this.#retry = setInterval(() => void this.retryPending(), retryMs);
  }

  close(): void {
    clearInterval(this.#retry);
  }

  /** Endpoints that etcd still has to hear are gone. */
  get pending(): JournalEntry[] {
    return this.#options.journal.values().filter(({ phase }) => phase === 'detaching');
  }

  async attach(request: AttachRequest, network: Network): Promise<Changed> {
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
    const { view, watch, datapath, log } = this.#options;
    this.#hold(entry, () => watch.hold(entry.network));
    view.putEndpoint(endpoint);
    this.#connect(entry, endpoint, ifindex);
    datapath.links.attach(entry.hostIfname, ifindex);
    const warnings = await this.#serveNames(entry);
    for (const warning of warnings) log.warn({ endpoint: entry.id }, warning);
  }

  /** Removes what is left of an endpoint that was never attached, or not to its end. */
  async undo(entry: JournalEntry): Promise<void> {
    await this.#locks.run(lockKey(entry), () => this.#dismantle(entry));
  }

  /** Writes to etcd again what it has lost of an attached endpoint; gives the endpoint up when it cannot be. */
  async register(id: string): Promise<void> {
    const { locals, view, log } = this.#options;
    const local = locals.get(id);
    if (local === undefined) return;
    await this.#locks.run(lockKey(local.entry), async () => {
      if (!locals.has(id)) return;
      try {
        view.putEndpoint(await this.#createAgain(local.endpoint));
        this.#options.reconciler.kick();
        log.warn({ endpoint: id, name: local.endpoint.name }, 'etcd had lost an endpoint: written again');
      } catch (error) {
        if (error instanceof PlaitError && error.isTransient) throw error;
        log.error({ endpoint: id, err: error }, 'gave up an endpoint that etcd has lost');
        await this.#dismantle(local.entry);
      }
    });
  }

  registerSoon(id: string): void {
    const { log } = this.#options;
    void this.register(id).catch((error) => log.warn({ endpoint: id, err: error }, 'etcd lacks an endpoint'));
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

  async #attach(start: JournalEntry, request: AttachRequest, network: Network): Promise<Changed> {
    const { watch, journal, view, reconciler, datapath } = this.#options;
    await watch.acquire(network.id);
    this.#hold(start, () => undefined);
    let entry = start;
    try {
      await journal.write(entry);
      const made = await this.#create(entry, request, network);
      entry = { ...entry, endpoint: made.endpoint };
      view.putEndpoint(made.endpoint);
      this.#connect(entry, made.endpoint, made.ifindex);
      await reconciler.flush();
      datapath.links.attach(entry.hostIfname, made.ifindex);
      const warnings = await this.#serveNames(entry);
      await journal.write({ ...entry, phase: 'attached' });
      return { endpoint: made.endpoint, warnings };
    } catch (error) {
      await this.#undoAttach(entry, error);
      throw error;
    }
  }

  async #undoAttach(entry: JournalEntry, cause: unknown): Promise<void> {
    try {
      // etcd refused it and so holds nothing of it; in doubt, look.
      const isRefused = entry.endpoint === undefined && cause instanceof PlaitError && !cause.isTransient;
      await this.#dismantle(entry, isRefused);
    } catch (error) {
      const { log } = this.#options;
      log.error({ endpoint: entry.id, err: error }, 'could not undo a failed attach; it will be tried again');
    }
  }

  /** Makes the interface, then the record; the interface anew when somebody else took its addresses first. */
  async #create(entry: JournalEntry, request: AttachRequest, network: Network): Promise<Made> {
    const { store, node } = this.#options;
    const choice = this.#choices.of(network.id);
    let ifindex = 0;
    const prepare = async (endpoint: Endpoint): Promise<void> => {
      choice.replace(endpoint.addresses);
      if (ifindex !== 0) await deleteVeth(entry.hostIfname);
      ifindex = await createVeth(interfaceSpec(entry, endpoint, network));
    };
    try {
      const input = { ...endpointInput(request), id: entry.id, node };
      const endpoint = await createEndpoint(store, network, input, this.#taken(network), prepare);
      return { endpoint, ifindex };
    } finally {
      choice.replace([]);
    }
  }

  #taken({ id }: Network): string[] {
    const recorded = this.#options.view.endpointsOfNetwork(id).flatMap(({ addresses }) => addresses);
    return [...recorded, ...this.#choices.taken(id)];
  }

  #createAgain(endpoint: Endpoint): Promise<Endpoint> {
    const { store, view } = this.#options;
    const network = view.networks.get(endpoint.network);
    if (network === undefined) throw new NotFound('network', endpoint.network);
    const { id, name, node, addresses, mac, aliases, labels } = endpoint;
    return createEndpoint(store, network, { id, name, node, addresses, mac, aliases, labels });
  }

  /** From here on its rows are due. */
  #connect(entry: JournalEntry, endpoint: Endpoint, ifindex: number): void {
    const { datapath, desired, locals } = this.#options;
    const attachment = { ifindex, slot: datapath.slots.of(ifindex) };
    locals.add({ entry, endpoint, attachment });
    desired.attach(entry.id, attachment);
  }

  /** A container without names still has its network: what goes wrong here is a warning. */
  async #serveNames({ netns, netnsInode }: JournalEntry): Promise<string[]> {
    const { dns, locals } = this.#options;
    const networks = locals.networksIn(netnsInode);
    try {
      if (networks.length === 0) await dns.release(netnsInode);
      else await dns.ensure({ inode: netnsInode, path: netns }, networks);
      return [];
    } catch (error) {
      return [`names are not answered inside: ${error instanceof Error ? error.message : String(error)}`];
    }
  }

  /** `isUnknown`: etcd never heard of it. */
  async #dismantle(entry: JournalEntry, isUnknown = false): Promise<string[]> {
    const { journal, locals, desired, view, datapath } = this.#options;
    await journal.write({ ...entry, phase: 'detaching' });
    const ifindex = locals.get(entry.id)?.attachment.ifindex;
    locals.delete(entry.id);
    await this.#serveNames(entry);
    desired.detach(entry.id);
    view.deleteEndpoint(entry.id);
    await this.#removeRows(entry);
    datapath.links.detach(entry.hostIfname);
    if (ifindex !== undefined) datapath.slots.release(ifindex);
    await deleteVeth(entry.hostIfname);
    const warnings = await this.#forget(entry, isUnknown);
    this.#letGo(entry);
    return warnings;
  }

  /** What could not be written is found again by the next full compare. */
  async #removeRows(entry: JournalEntry): Promise<void> {
    const { reconciler, log } = this.#options;
    await reconciler.flush().catch((error) => {
      log.warn({ endpoint: entry.id, err: error }, 'rows of a detached endpoint are left for later');
    });
  }

  async #forget(entry: JournalEntry, isUnknown: boolean): Promise<string[]> {
    const { store, journal } = this.#options;
    try {
      const endpoint = entry.endpoint ?? (isUnknown ? undefined : await this.#find(entry));
      if (endpoint !== undefined) await deleteEndpoint(store, endpoint);
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
      return [`its record and addresses are given back when etcd answers again: ${error.message}`];
    }
    await journal.remove(entry.id);
    return [];
  }

  /** The answer to its creation may have been lost. */
  async #find(entry: JournalEntry): Promise<Endpoint | undefined> {
    const endpoints = await listEndpoints(this.#options.store, entry.network);
    return endpoints.find(({ id }) => id === entry.id);
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

function lockKey({ netnsInode, ifname }: JournalEntry): string {
  return `${netnsInode}/${ifname}`;
}
