/* The cluster's networks, as Docker's drivers ask for them: by name, or by a subnet, which no two networks share. */
import { formatCidr, parseCidr } from '../model/addresses.js';
import { NotFound } from '../model/errors.js';
import type { NetworkInput } from '../model/inputs.js';
import type { Network } from '../model/records.js';
import type { ClusterView } from '../model/view.js';
import { listNetworks } from '../store/networks.js';
import type { Store } from '../store/store.js';
import type { ClusterWrites } from '../store/writes.js';

export interface ClusterNetworksOptions {
  readonly view: ClusterView;
  readonly store: Store;
  readonly writes: Pick<ClusterWrites, 'removeNetwork'>;
  /** Throws as `createNetwork` of the store does. */
  readonly create: (input: NetworkInput) => Promise<Network>;
}

export class ClusterNetworks {
  readonly #options: ClusterNetworksOptions;

  constructor(options: ClusterNetworksOptions) {
    this.#options = options;
  }

  /** By its name, where one is given; else by the subnet. */
  async find(name: string | undefined, subnet: string): Promise<Network | undefined> {
    const wanted = subnet === '' ? '' : formatCidr(parseCidr(subnet));
    const isWanted = (network: Network): boolean =>
      name === undefined ? network.subnets.some((one) => one.subnet === wanted) : network.name === name;
    return this.#look(isWanted);
  }

  /** Whether the cluster has it, as far as is known here. */
  knows(id: string): boolean {
    return this.#options.view.networks.has(id);
  }

  /** Throws NotFound. */
  async byId(id: string): Promise<Network> {
    const found = await this.#look((network) => network.id === id);
    if (found !== undefined) return found;
    throw new NotFound('network', `${id}, which was removed from the cluster`);
  }

  create(input: NetworkInput): Promise<Network> {
    return this.#options.create(input);
  }

  /** Throws NetworkInUse. */
  async remove(id: string): Promise<void> {
    const network = await this.#look((one) => one.id === id);
    if (network !== undefined) await this.#options.writes.removeNetwork(network);
  }

  /** What the view does not have may have been made elsewhere a moment ago. */
  async #look(isWanted: (network: Network) => boolean): Promise<Network | undefined> {
    const { view, store } = this.#options;
    const known = [...view.networks.values()].find(isWanted);
    if (known !== undefined) return known;
    const fresh = (await listNetworks(store)).find(isWanted);
    if (fresh !== undefined) view.putNetwork(fresh);
    return fresh;
  }
}
