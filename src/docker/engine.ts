/*
 * Follows the Docker Engine of this host: what its containers are called, which Docker tells no driver. Events say when
 * to look; what is there is always asked for. Never from inside a call of the driver, for which dockerd may be waiting
 * with the locks that the answer needs.
 *
 *     connected: events from now on → which networks are Docker's still → names of all containers on ours
 *     event "connect", "rename" → that container's names
 */
import type { Logger } from 'pino';
import type { HandedEndpoints } from '../agent/handed-endpoints.js';
import { NotFound } from '../model/errors.js';
import { pauseUnless } from '../pause.js';
import {
  type EngineApi,
  EngineError,
  type EngineEvent,
  type EngineNetwork,
  type Swarm,
} from './engine-api.js';
import type { EngineNetworks } from './engine-networks.js';
import { describe } from './names.js';
import { DRIVER_NAME } from './protocol.js';
import type { SwarmNetworks } from './swarm-networks.js';

export interface EngineOptions {
  readonly api: EngineApi;
  readonly networks: EngineNetworks;
  readonly swarm: SwarmNetworks;
  readonly endpoints: Pick<HandedEndpoints, 'describe' | 'ofDocker'>;
  /** For a person: why it is not followed. */
  readonly notices: Map<string, string>;
  readonly log: Logger;
}

const NOTICE = 'docker engine';
const RETRY_MS = 1000;
const SYNC_MS = 1000;
/** An engine that starts has no time yet. */
const QUIET_MS = 30_000;
const FILTERS = { type: ['network', 'container'], event: ['connect', 'rename'] };
const RESTARTED = new Set(['always', 'unless-stopped', 'on-failure']);

export class Engine {
  readonly #options: EngineOptions;
  readonly #closing = new AbortController();
  #running: Promise<void>[] = [];

  constructor(options: EngineOptions) {
    this.#options = options;
  }

  /** Never fails: a notice says when the engine is away for long. */
  start(): void {
    this.#running = [this.#run(), this.#sync()];
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.#running);
  }

  async #run(): Promise<void> {
    const { notices, log } = this.#options;
    const { signal } = this.#closing;
    let lost = performance.now();
    while (!signal.aborted) {
      try {
        await this.#follow(() => notices.delete(NOTICE));
        lost = performance.now();
      } catch (error) {
        if (signal.aborted) return;
        const text = error instanceof Error ? error.message : String(error);
        if (!(error instanceof EngineError)) log.error({ err: error }, 'could not follow Docker');
        if (performance.now() - lost > QUIET_MS)
          notices.set(NOTICE, `names of Docker's containers are not followed: ${text}`);
      }
      await pauseUnless(signal, RETRY_MS);
    }
  }

  async #follow(onConnected: () => void): Promise<void> {
    const { api, networks, log } = this.#options;
    const { signal } = this.#closing;
    const events = await api.events(FILTERS, signal);
    onConnected();
    await this.#enablePlugin();
    const here = await networks.recover();
    await this.#nameAll(here);
    await this.#startAgain(here);
    log.info({ networks: here.length }, 'following Docker');
    for await (const event of events) void this.#heed(event);
  }

  /** dockerd gives up a plugin that does not answer when it starts, for good. */
  async #enablePlugin(): Promise<void> {
    const { api, log } = this.#options;
    if ((await api.plugin(DRIVER_NAME))?.isEnabled !== false) return;
    log.info('Docker had given up its plugin: it is enabled again');
    await api.enablePlugin(DRIVER_NAME);
  }

  async #heed({ Type, Action, Actor }: EngineEvent): Promise<void> {
    const id = Type === 'network' ? Actor.Attributes?.container : Actor.ID;
    if (id && (Action === 'connect' || Action === 'rename')) await this.#name(id);
  }

  async #nameAll(here: readonly EngineNetwork[]): Promise<void> {
    if (here.length === 0) return;
    const filters = { network: here.map(({ Id }) => Id), status: ['running'] };
    for (const id of await this.#options.api.containers(filters)) await this.#name(id);
  }

  async #name(id: string): Promise<void> {
    const { api, endpoints, log } = this.#options;
    try {
      for (const [endpoint, description] of describe(await api.container(id))) {
        const entry = endpoints.ofDocker(endpoint);
        if (entry !== undefined) await endpoints.describe(entry.id, description);
      }
    } catch (error) {
      const isGone = error instanceof NotFound || (error instanceof EngineError && error.status === 404);
      if (!isGone) log.warn({ container: id, err: error }, 'could not learn what a container is called');
    }
  }

  /** What Docker should have started with itself, when there was no driver yet. */
  async #startAgain(here: readonly EngineNetwork[]): Promise<void> {
    const { api, log } = this.#options;
    if (here.length === 0) return;
    const filters = { network: here.map(({ Id }) => Id), status: ['exited', 'created'] };
    for (const id of await api.containers(filters)) {
      const { Name, State, HostConfig } = await api.container(id);
      if (!RESTARTED.has(HostConfig.RestartPolicy.Name) || !isForUs(State.Error)) continue;
      log.info({ container: Name }, 'Docker could not start a container without its driver: it is started');
      await api
        .startContainer(id)
        .catch((error) => log.warn({ container: Name, err: error }, 'it could not be'));
    }
  }

  async #sync(): Promise<void> {
    const { api, networks, swarm, log } = this.#options;
    const { signal } = this.#closing;
    while (!signal.aborted) {
      let asked: Promise<Swarm | undefined> | undefined;
      const inSwarm = () => (asked ??= api.swarm()); // once a pass, and only where it matters
      await Promise.all([networks.sync(inSwarm), swarm.sync(inSwarm)]).catch((error) => {
        if (!(error instanceof EngineError && error.status === 0))
          log.warn({ err: error }, 'could not keep Docker’s networks in step');
      });
      await pauseUnless(signal, SYNC_MS);
    }
  }
}

/** `failed to create endpoint …: dial unix …/plait.sock: …`, `… plugin "plait" not found`. */
function isForUs(error: string): boolean {
  return /\bplait\b/.test(error) && /dial unix|not found|network driver|legacy plugin|Post "/.test(error);
}
