/*
 * Networks of a Docker Swarm. Swarm knows one name and id for all nodes, but each node has to know the network's settings itself: a
 * network that is only settings (`NAME.ID`), on each of its nodes, to which the swarm's own refers. The agents
 * make both for the cluster's networks that are to be in the swarm: each the settings on its node, and those beside a manager of the
 * swarm the network. Addresses stay the cluster's, since the settings name its IPAM driver.
 */
import type { Logger } from 'pino';
import type { Network } from '../model/records.js';
import type { ClusterView } from '../model/view.js';
import { type EngineApi, EngineError, type EngineNetwork, type Swarm } from './engine-api.js';
import { settingsOf } from './engine-networks.js';
import { PLUGIN_NAME, SWARM_OPTION } from './protocol.js';

export interface SwarmNetworksOptions {
  readonly api: EngineApi;
  readonly view: Pick<ClusterView, 'networks'>;
  /** The view is what etcd has. */
  readonly isInformed: () => boolean;
  readonly notices: Map<string, string>;
  readonly log: Logger;
}

/** Id of the cluster's network. */
const NETWORK_LABEL = 'plait.network.id';
const NOTICE = 'docker swarm';

export class SwarmNetworks {
  readonly #options: SwarmNetworksOptions;
  /** Some of them are the engine's, as far as is known: until it was asked, perhaps. */
  #hasSome = true;
  /** Ids of settings that Docker does not let go. */
  readonly #stuck = new Set<string>();

  constructor(options: SwarmNetworksOptions) {
    this.#options = options;
  }

  /** One pass. Throws EngineError of an engine that is away; what it does not like is a notice. */
  async sync(inSwarm: () => Promise<Swarm | undefined>): Promise<void> {
    const { api, view, isInformed, notices } = this.#options;
    if (!isInformed()) return;
    const wanted = [...view.networks.values()].filter(({ options }) => options[SWARM_OPTION] === 'true');
    if (wanted.length === 0 && !this.#hasSome) return;
    const swarm = await inSwarm();
    if (swarm === undefined) return;
    const here = await api.networks();
    const faults: string[] = [];
    const attempt = (work: Promise<void>): Promise<void> =>
      work.catch((error) => {
        if (!(error instanceof EngineError) || error.status === 0) throw error;
        faults.push(error.message);
      });
    for (const network of wanted) await attempt(this.#make(network, here, swarm.isManager));
    const left = leftOf(here, wanted).filter(({ Id }) => !this.#stuck.has(Id));
    for (const one of left) await attempt(this.#remove(one));
    this.#hasSome = wanted.length > 0 || left.length > 0;
    if (faults.length === 0) notices.delete(NOTICE);
    else notices.set(NOTICE, faults.join('; '));
  }

  /** An engine that was killed may count users of settings that are gone: they are left to it, and harm nobody. */
  async #remove({ Id, ConfigOnly }: EngineNetwork): Promise<void> {
    await this.#options.api.removeNetwork(Id).catch((error) => {
      if (!(ConfigOnly && error instanceof EngineError && error.status === 403)) throw error;
      this.#stuck.add(Id);
    });
  }

  async #make(network: Network, here: readonly EngineNetwork[], isManager: boolean): Promise<void> {
    const { api, log } = this.#options;
    const config = settingsName(network);
    const labels = { Labels: { [NETWORK_LABEL]: network.id } }; // the swarm's own may have none of its own
    const isThere = (name: string): boolean => here.some(({ Name }) => Name === name);
    if (!isThere(config)) {
      await api.createNetwork({
        Name: config,
        ConfigOnly: true,
        ...labels,
        ...settingsOf(network, PLUGIN_NAME),
      });
      log.info({ network: network.name }, 'Docker has the settings of a network of the swarm');
    }
    if (!isManager || isThere(network.name)) return;
    await api
      .createNetwork({
        ...{ Name: network.name, Driver: PLUGIN_NAME, Scope: 'swarm', Attachable: true },
        ...{ CheckDuplicate: true, Internal: network.internal, ConfigFrom: { Network: config } },
      })
      .catch((error) => {
        if (!(error instanceof EngineError && error.status === 409)) throw error; // beside another manager
      });
    log.info({ network: network.name }, 'the swarm has a network of the cluster');
  }
}

/** Of one network alone: settings that Docker keeps are not taken for those of the next one of that name. */
function settingsName({ name, id }: Network): string {
  return `${name}.${id.slice(0, 8)}`;
}

/** What is not wanted any more and can go now: settings go when nothing refers to them. */
function leftOf(here: readonly EngineNetwork[], wanted: readonly Network[]): EngineNetwork[] {
  const stays = new Set(wanted.map(({ id }) => id));
  const settings = here.filter(({ Labels }) => {
    const id = Labels?.[NETWORK_LABEL];
    return id !== undefined && !stays.has(id);
  });
  const names = new Set(settings.map(({ Name }) => Name));
  const users = here.filter(({ ConfigFrom }) => ConfigFrom && names.has(ConfigFrom.Network));
  const used = new Set(users.map(({ ConfigFrom }) => ConfigFrom?.Network));
  return [
    ...users.filter(({ Scope }) => Scope === 'swarm'),
    ...settings.filter(({ Name }) => !used.has(Name)),
  ];
}
