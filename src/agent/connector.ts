/*
 * What makes an interface that exists an endpoint of its network on this node: the program on its host end, its rows,
 * the names inside its namespace; and all that away again. Knows nothing of etcd and the journal.
 */
import type { Logger } from 'pino';
import type { Datapath } from '../datapath/datapath.js';
import type { DnsServers } from '../dns/servers.js';
import { parseMac } from '../model/addresses.js';
import type { DesiredRows } from '../model/desired.js';
import { endpointRow } from '../model/recordRows.js';
import type { Endpoint, Network } from '../model/records.js';
import type { Attachment } from '../model/rows.js';
import type { ClusterView } from '../model/view.js';
import { announce } from '../net/announce.js';
import { deleteVeth, takeXdp } from '../net/veth.js';
import type { JournalEntry } from './journal.js';
import type { Locals } from './locals.js';
import type { Reconciler } from './reconciler.js';

export interface ConnectorOptions {
  readonly view: ClusterView;
  readonly desired: DesiredRows;
  readonly reconciler: Reconciler;
  readonly datapath: Datapath;
  readonly dns: DnsServers;
  readonly locals: Locals;
  readonly log: Logger;
}

export class Connector {
  readonly #options: ConnectorOptions;

  constructor(options: ConnectorOptions) {
    this.#options = options;
  }

  /**
   * Lets frames in and out. The program comes before the rows by which others reach the container, since its first
   * answer, an ARP request, must not get lost; and after the row that tells the program whose frames these are.
   */
  async connect(entry: JournalEntry, endpoint: Endpoint, network: Network, ifindex: number): Promise<void> {
    const { datapath, reconciler } = this.#options;
    const attachment = await this.#attachment(entry, ifindex);
    const row = endpointRow(network, endpoint, parseMac(endpoint.mac), attachment);
    datapath.tables.endpoints.apply([[ifindex, row]]);
    await this.#join(entry, endpoint, attachment);
    await reconciler.flush();
  }

  /** The same for one that an earlier agent connected, whose rows and program are there. */
  async adopt(entry: JournalEntry, endpoint: Endpoint, ifindex: number): Promise<void> {
    await this.#join(entry, endpoint, await this.#attachment(entry, ifindex));
  }

  /** Removes the interface and all that `connect` did. Harmless where there is nothing. */
  async disconnect(entry: JournalEntry): Promise<void> {
    await this.cut(entry);
    await this.removeInterface(entry);
  }

  /** After `cut`. */
  async removeInterface({ hostIfname }: JournalEntry): Promise<void> {
    await deleteVeth(hostIfname);
  }

  /** Lets no frame in or out any more. The interface is left. */
  async cut({ id, hostIfname, handed }: JournalEntry): Promise<void> {
    const { datapath, desired, locals, view, reconciler, log } = this.#options;
    const ifindex = locals.get(id)?.attachment.ifindex;
    locals.delete(id);
    desired.detach(id);
    view.deleteEndpoint(id);
    // What could not be written is found again by the next full compare.
    // Gateways settle by themselves where nobody waits for the host to be as it was: Docker waits with its locks held.
    await reconciler
      .flush()
      .then(() => (handed ? undefined : reconciler.settled()))
      .catch((error) =>
        log.warn({ endpoint: id, err: error }, 'rows of a detached endpoint are left for later'),
      );
    datapath.links.detach(hostIfname);
    if (ifindex !== undefined) {
      // `connect` wrote it past the reconciler, which knows nothing of it when the network went away before.
      datapath.tables.endpoints.apply([], [ifindex]);
      datapath.slots.release(ifindex);
    }
  }

  /**
   * Answers names in the namespace for the networks that it is on now, or no more. A container without names still
   * has its network: what goes wrong is a warning.
   */
  async serveNames({ netns, netnsInode, handed }: JournalEntry): Promise<string[]> {
    if (netnsInode === 0) return []; // Docker's, on its way
    const { dns, locals } = this.#options;
    const networks = locals.networksIn(netnsInode);
    try {
      if (networks.length === 0) await dns.release(netnsInode);
      else await dns.ensure({ inode: netnsInode, path: netns, hasDocker: handed !== undefined }, networks);
      return [];
    } catch (error) {
      return [`names are not answered inside: ${error instanceof Error ? error.message : String(error)}`];
    }
  }

  /** Nobody waits for it: it only matters to those who knew an earlier holder of the address. */
  announceSoon({ netns, ifname }: JournalEntry, { id, mac }: Endpoint): void {
    const { log, locals } = this.#options;
    void announce(netns, ifname, mac).catch((error) => {
      if (locals.has(id)) log.debug({ endpoint: id, err: error }, 'could not announce an endpoint');
    });
  }

  async #attachment(entry: JournalEntry, ifindex: number): Promise<Attachment> {
    const takesXdp = await this.#takesXdp(entry);
    return { ifindex, slot: this.#options.datapath.slots.of(ifindex), takesXdp };
  }

  /** What cannot be delivered by XDP is delivered without: no reason not to attach. */
  async #takesXdp({ id, netns, ifname, handed }: JournalEntry): Promise<boolean> {
    const { datapath, log } = this.#options;
    if (!datapath.xdp.delivers || handed) return false; // what others call the interface is not known
    try {
      return await takeXdp(netns, ifname);
    } catch (error) {
      log.warn(
        { endpoint: id, err: error },
        'XDP cannot deliver to an endpoint, whose frames take the other way',
      );
      return false;
    }
  }

  async #join(entry: JournalEntry, endpoint: Endpoint, attachment: Attachment): Promise<void> {
    const { datapath, desired, locals, view } = this.#options;
    await datapath.links.attach(entry.hostIfname, attachment.ifindex);
    locals.add({ entry, endpoint, attachment });
    view.putEndpoint(endpoint);
    desired.attach(entry.id, attachment);
  }
}
