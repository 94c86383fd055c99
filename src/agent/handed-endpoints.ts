/*
 * Endpoints whose interface somebody else moves into a namespace, names and addresses: Docker. Their life has two steps, which
 * come apart in time: an address is taken (`reserve`), and the interface is made in the host's namespace (`handOver`).
 *
 *     journal "attaching" → etcd (addresses, MAC, record)    … later …    veth → program → rows → journal "attached"
 *
 * They end as all endpoints do: detached, or when their host end vanishes, which it does with whatever namespace the other
 * end is in. What was begun and never taken, because whoever asked was killed, ends by itself after a minute.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { interfaceIndex } from 'libbpf-ts-bindings';
import { NotFound } from '../model/errors.js';
import type { EndpointInput } from '../model/inputs.js';
import { type Description, type Network, randomId } from '../model/records.js';
import { resolveNamespace } from '../net/namespaces.js';
import { createVethHere, deleteVeth, hostIfname } from '../net/veth.js';
import { patience } from '../patience.js';
import { createEndpoint } from '../store/endpoints.js';
import type { Choices } from './choices.js';
import type { EndpointsOptions } from './endpoints.js';
import type { JournalEntry } from './journal.js';
import { refuseRival } from './refusals.js';

export type Handed = NonNullable<JournalEntry['handed']>;
type ReserveInput = Pick<EndpointInput, 'name' | 'addresses' | 'mac'>;

/** What it has in common with the endpoints that are attached whole. */
export interface HandedOptions extends EndpointsOptions {
  readonly choices: Choices;
  readonly taken: (network: Network) => string[];
  /** Nothing else is done with the endpoint meanwhile. */
  readonly inTurn: <T>(entry: JournalEntry, work: () => Promise<T>) => Promise<T>;
  /** Keeps its network followed until the endpoint is gone. */
  readonly hold: (entry: JournalEntry) => void;
  readonly undo: (entry: JournalEntry, cause: unknown) => Promise<void>;
  readonly detach: (id: string) => Promise<unknown>;
}

/** Docker moves an interface within seconds of having it, on a busy host too. */
const TAKEN_MS = patience(60_000);
/** From the first call of Docker to the last one that makes the interface. */
const BEGUN_MS = patience(5_000);
/** Between looks for its namespace, while it is about to come, and later. */
const EAGER_MS = 5;
const IDLE_MS = 200;

export class HandedEndpoints {
  readonly #options: HandedOptions;

  constructor(options: HandedOptions) {
    this.#options = options;
  }

  /** All that are not on their way out. */
  list(): JournalEntry[] {
    const all = this.#options.journal.values();
    return all.filter(({ handed, phase }) => handed !== undefined && phase !== 'detaching');
  }

  /** By Docker's id of the endpoint. */
  ofDocker(endpoint: string): JournalEntry | undefined {
    return this.list().find(({ handed }) => handed?.endpoint === endpoint);
  }

  /** Who has that address of the network here. */
  holderOf(network: Network, address: string): JournalEntry | undefined {
    return this.list().find(
      ({ endpoint }) => endpoint?.network === network.id && endpoint.addresses.includes(address),
    );
  }

  /** Takes addresses for an endpoint whose interface comes later, if it ever does. Throws as `attach` does. */
  async reserve(network: Network, input: ReserveInput, handed: Handed): Promise<JournalEntry> {
    refuseRival(this.#options.view, network);
    const id = randomId();
    const entry: JournalEntry = {
      ...{ id, phase: 'attaching', network: network.id, hostIfname: hostIfname(id), handed },
      ...{ netns: '', netnsInode: 0, ifname: ifnameHere(id) },
    };
    return this.#options.inTurn(entry, () => this.#reserve(entry, input, network));
  }

  /** Says whose a reserved endpoint is. Throws NotFound. */
  async claim(id: string, handed: Handed): Promise<JournalEntry> {
    return this.#options.inTurn(this.#get(id), async () => {
      const entry = { ...this.#get(id), handed };
      await this.#options.journal.write(entry);
      return entry;
    });
  }

  /**
   * Makes the interface of a reserved endpoint in the host's namespace, down; whoever asked moves it into that namespace,
   * which may not exist yet. Returns its name. Repeated, it makes it anew. Throws NotFound.
   */
  async handOver(id: string, netns: string, network: Network): Promise<string> {
    return this.#options.inTurn(this.#get(id), async () => {
      const { journal, connector, log, link: kind } = this.#options;
      const before = this.#get(id);
      const entry = { ...before, netns, netnsInode: 0 };
      const { endpoint, hostIfname, ifname } = entry;
      if (endpoint === undefined) throw new NotFound('record of endpoint', id);
      await journal.write(entry);
      if (before.netns !== '') await deleteVeth(hostIfname); // of an earlier try
      try {
        const { mac } = endpoint;
        const ifindex = await createVethHere({ kind, hostIfname, ifname, mac, mtu: network.mtu });
        // Gateways settle by themselves: whoever takes the interface has a way out of its own.
        await connector.connect(entry, endpoint, network, ifindex);
        await journal.write({ ...entry, phase: 'attached' });
      } catch (error) {
        await connector.disconnect(entry);
        throw error;
      }
      log.info({ endpoint: id, name: endpoint.name, netns }, 'handed over');
      this.followIn(id);
      return ifname;
    });
  }

  /** Answers names inside from when its namespace is there on: a moment before the first process in it runs. */
  followIn(id: string): void {
    const { log } = this.#options;
    void this.#followIn(id).catch((error) => {
      if (!(error instanceof NotFound))
        log.warn({ endpoint: id, err: error }, 'could not follow an endpoint');
    });
  }

  async #followIn(id: string): Promise<void> {
    const { journal, locals, connector, log } = this.#options;
    for (const began = performance.now(); performance.now() - began < TAKEN_MS; ) {
      const { netns } = this.#get(id);
      const netnsInode = await inodeOf(netns);
      if (netnsInode === 0) {
        await sleep(performance.now() - began < BEGUN_MS ? EAGER_MS : IDLE_MS);
        continue;
      }
      await this.#options.inTurn(this.#get(id), async () => {
        const local = locals.get(id);
        if (local === undefined || local.entry.netns !== netns) return;
        const entry = { ...local.entry, netnsInode };
        await journal.write({ ...this.#get(id), netnsInode });
        locals.add({ ...local, entry });
        for (const warning of await connector.serveNames(entry)) log.warn({ endpoint: id, netns }, warning);
      });
      return;
    }
    log.warn(
      { endpoint: id },
      'its namespace is not to be seen: names of other hosts are not answered in it',
    );
  }

  /** Gives it the names that others find it by. Throws NotFound. */
  async describe(id: string, { name, aliases }: Description): Promise<void> {
    await this.#options.inTurn(this.#get(id), async () => {
      const { writes, journal, locals, view } = this.#options;
      const entry = this.#get(id);
      if (entry.endpoint === undefined || isSame(entry.endpoint, { name, aliases })) return;
      const endpoint = { ...entry.endpoint, name, aliases };
      if (!(await writes.describeEndpoint(endpoint, { name, aliases }))) throw new NotFound('endpoint', id);
      const renamed = { ...entry, endpoint };
      await journal.write(renamed);
      const local = locals.get(id);
      if (local !== undefined) locals.add({ ...local, entry: renamed, endpoint });
      view.putEndpoint(endpoint);
    });
  }

  /**
   * Whether somebody has it: its interface is in another namespace, or is just on its way there. Otherwise it is left from
   * a process that was killed.
   */
  isInUse({ phase, endpoint, hostIfname, ifname }: JournalEntry): boolean {
    if (phase === 'attached') return isHere(hostIfname) && !isHere(ifname);
    return Date.now() - Date.parse(endpoint?.createdAt ?? '') < BEGUN_MS;
  }

  /** Ends what nobody came for. */
  async sweep(): Promise<void> {
    const { detach, log } = this.#options;
    for (const entry of this.list()) {
      const { endpoint, phase, ifname } = entry;
      const age = Date.now() - Date.parse(endpoint?.createdAt ?? '');
      if (!(age > TAKEN_MS) || (phase === 'attached' && !isHere(ifname))) continue;
      log.warn({ endpoint: entry.id }, 'nobody came for an endpoint: it is detached');
      await detach(entry.id).catch((error) => {
        log.warn({ endpoint: entry.id, err: error }, 'could not detach an endpoint by itself');
      });
    }
  }

  #get(id: string): JournalEntry {
    const entry = this.#options.journal.get(id);
    if (entry?.handed === undefined || entry.phase === 'detaching') throw new NotFound('endpoint', id);
    return entry;
  }

  async #reserve(start: JournalEntry, input: ReserveInput, network: Network): Promise<JournalEntry> {
    const { watch, journal, node, hold, undo, taken } = this.#options;
    const choice = this.#options.choices.of(network.id);
    let entry = start;
    await watch.acquire(network.id);
    hold(start);
    try {
      await journal.write(entry);
      const whole = { ...input, id: start.id, node, hasMacOfAddress: true };
      const endpoint = await createEndpoint(
        this.#options,
        network,
        whole,
        taken(network),
        async ({ addresses }) => choice.replace(addresses),
      );
      entry = { ...entry, endpoint };
      await journal.write(entry);
      return entry;
    } catch (error) {
      await undo(entry, error);
      throw error;
    } finally {
      choice.replace([]);
    }
  }
}

function isSame(one: Description, other: Description): boolean {
  return one.name === other.name && one.aliases.join() === other.aliases.join();
}

/** 0 where it cannot be seen from here: then nothing is done in there. */
async function inodeOf(netns: string): Promise<number> {
  return resolveNamespace(netns).then(
    ({ inode }) => inode,
    () => 0,
  );
}

/** Name of the other end, for as long as nobody has taken it. */
function ifnameHere(id: string): string {
  return `plc${id.slice(0, 11)}`;
}

function isHere(ifname: string): boolean {
  try {
    return interfaceIndex(ifname) > 0;
  } catch {
    return false;
  }
}
