/*
 * Docker's list of networks and the cluster's, on this host. The cluster's truth wins: each of its networks is one of
 * Docker's under the same name, and goes from Docker's list when it goes from the cluster. Not in step are, on purpose: networks that
 * only Docker has asked for (they have names that nobody chose), what somebody removed from Docker here by hand, names that
 * Docker uses for something else, and all networks of an engine in a swarm, which has its own way to make them.
 */
import type { Logger } from 'pino';
import type { Network } from '../model/records.js';
import type { ClusterView } from '../model/view.js';
import type { ClusterNetworks } from './cluster-networks.js';
import type { Driver } from './driver.js';
import { type EngineApi, EngineError, type EngineNetwork, type Swarm } from './engine-api.js';
import { type DockerNetworks, isPrivateName } from './networks.js';
import { DRIVER_NAME, NETWORK_OPTION, PLUGIN_NAME } from './protocol.js';

export interface EngineNetworksOptions {
  readonly api: EngineApi;
  readonly driver: Pick<Driver, 'deleteNetwork'>;
  readonly known: DockerNetworks;
  readonly cluster: ClusterNetworks;
  readonly view: Pick<ClusterView, 'networks'>;
  /** The view is what etcd has. */
  readonly isInformed: () => boolean;
  readonly notices: Map<string, string>;
  readonly log: Logger;
}

/** Docker may be about to tell of it itself. */
const NEW_MS = 3000;

export class EngineNetworks {
  readonly #options: EngineNetworksOptions;
  /** Those of an earlier agent: Docker may have removed some meanwhile. */
  #unconfirmed: Set<string> | undefined;
  /** What Docker did not take, as it stood in the cluster then. */
  readonly #refused = new Map<string, Network>();

  constructor(options: EngineNetworksOptions) {
    this.#options = options;
    this.#unconfirmed = new Set(options.known.ids());
  }

  /** What Docker has of ours, asked of Docker: what the file lacks is added, what Docker lost is forgotten. */
  async recover(): Promise<EngineNetwork[]> {
    const { api, driver, known, cluster, log } = this.#options;
    const here = (await api.networks()).filter(({ Driver }) => isOurs(Driver));
    for (const one of here) {
      this.#unconfirmed?.delete(one.Id);
      if (known.get(one.Id) !== undefined) continue;
      const name = one.Options?.[NETWORK_OPTION];
      const subnet = one.IPAM.Config?.find(({ Subnet }) => Subnet && !Subnet.includes(':'))?.Subnet ?? '';
      const network = await cluster.find(name, subnet);
      if (network === undefined) continue;
      await known.set(one.Id, { network: network.id, isPrivate: isPrivateName(network.name) });
      log.warn({ network: network.name, docker: one.Id }, 'asked Docker which network one of its is');
    }
    for (const id of this.#unconfirmed ?? []) {
      log.info({ docker: id }, 'Docker has removed a network meanwhile');
      await driver.deleteNetwork(id);
    }
    this.#unconfirmed = undefined;
    return here;
  }

  /** One pass. Throws EngineError. */
  async sync(inSwarm: () => Promise<Swarm | undefined>): Promise<void> {
    const { view, known, isInformed } = this.#options;
    if (!isInformed() || this.#unconfirmed !== undefined) return;
    const have = new Set(known.values().map(({ network }) => network));
    const missing = [...view.networks.values()].filter(
      (network) =>
        !have.has(network.id) &&
        !isPrivateName(network.name) &&
        !known.isRemoved(network.id) &&
        this.#refused.get(network.id) !== network &&
        Date.now() - Date.parse(network.createdAt) > NEW_MS,
    );
    // In a swarm its managers make the networks of all nodes.
    if (missing.length > 0 && (await inSwarm()) === undefined)
      for (const network of missing) await this.#create(network);
    for (const id of known.ids()) {
      const network = known.get(id)?.network ?? '';
      if (!view.networks.has(network)) await this.#remove(id, network);
    }
  }

  async #create(network: Network): Promise<void> {
    const { api, notices, log } = this.#options;
    const notice = `docker network ${network.id}`;
    try {
      await api.createNetwork({
        ...{ Name: network.name, CheckDuplicate: true, Driver: DRIVER_NAME },
        ...{ Internal: network.internal, Attachable: true },
        ...settingsOf(network, DRIVER_NAME),
      });
      notices.delete(notice);
      log.info({ network: network.name }, 'Docker has a network of the cluster');
    } catch (error) {
      if (!(error instanceof EngineError) || error.status === 0) throw error;
      this.#refused.set(network.id, network);
      notices.set(notice, `Docker does not list network ${network.name}: ${error.message}`);
    }
  }

  async #remove(id: string, network: string): Promise<void> {
    const { api, known, notices, log } = this.#options;
    this.#refused.delete(network);
    try {
      await api.removeNetwork(id);
    } catch (error) {
      if (!(error instanceof EngineError) || error.status === 0) throw error;
      if (error.status !== 404) notices.set(`docker network ${network}`, error.message);
      else await known.delete(id);
      return;
    }
    notices.delete(`docker network ${network}`);
    log.info({ network, docker: id }, 'a network of the cluster is gone, and from Docker’s list, too');
  }
}

/** As Docker is told of the network. Throws EngineError where Docker can have none. @param driver Docker's name of the IPAM driver */
export function settingsOf({ name, subnets }: Network, driver: string): object {
  const own = subnets.find(({ subnet }) => !subnet.includes(':'));
  if (own === undefined) throw new EngineError(`make network ${name}`, 400, 'it has no IPv4 subnet');
  return {
    IPAM: {
      Driver: driver,
      Config: [{ Subnet: own.subnet, ...(own.gateway !== null && { Gateway: own.gateway }) }],
      Options: { [NETWORK_OPTION]: name },
    },
    Options: { [NETWORK_OPTION]: name },
  };
}

/** By a managed plugin, too. */
function isOurs(driver: string): boolean {
  return driver === DRIVER_NAME || driver === PLUGIN_NAME;
}
