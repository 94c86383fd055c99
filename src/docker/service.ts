/* Docker's drivers as a part of the agent. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { AgentContext } from '../agent/context.js';
import { refuseInactive } from '../agent/requests/endpoints.js';
import { takeDockersPlace } from '../dns/docker-place.js';
import type { NetworkInput } from '../model/inputs.js';
import type { Network } from '../model/records.js';
import { ClusterNetworks } from './cluster-networks.js';
import { Driver } from './driver.js';
import { Engine } from './engine.js';
import { EngineApi } from './engine-api.js';
import { EngineNetworks } from './engine-networks.js';
import { Ipam } from './ipam.js';
import { DockerNetworks } from './networks.js';
import { type Methods, servePlugin } from './plugin.js';
import { Ranges } from './ranges.js';
import { Releases } from './releases.js';
import { SwarmNetworks } from './swarm-networks.js';

export interface DockerOptions {
  /** Where dockerd looks for the driver. */
  readonly socket: string;
  /** Where dockerd answers. */
  readonly engine: string;
  /** State directory. */
  readonly state: string;
  readonly create: (input: NetworkInput) => Promise<Network>;
}

export interface DockerService {
  close(): Promise<void>;
}

export async function serveDocker(context: AgentContext, options: DockerOptions): Promise<DockerService> {
  const { view, store, writes, endpoints, watch, health, notices, log } = context;
  const networks = await DockerNetworks.open(options.state, log);
  const cluster = new ClusterNetworks({ view, store, writes, create: options.create });
  const [releases, ranges] = [new Releases(), new Ranges()];
  const isInformed = () => watch.revision !== undefined && health.state === 'connected';
  const driver = new Driver({ networks, cluster, endpoints, releases, ranges, log });
  const ipam = new Ipam({ cluster, endpoints, releases, ranges, log });
  const server = await servePlugin(
    options.socket,
    {
      'Plugin.Activate': () => ({ Implements: ['NetworkDriver', 'IpamDriver'] }),
      ...whenReady(context, driver.methods(), ['NetworkDriver.CreateEndpoint']),
      ...whenReady(context, ipam.methods(), ['IpamDriver.RequestAddress']),
    },
    log,
  );
  const place = await takeDockersPlace().catch((error) => {
    notices.set(
      'docker names',
      `names of other hosts are not answered in Docker's containers: ${error.message}`,
    );
    log.error({ err: error }, 'cannot answer names in Docker’s containers');
  });
  const api = new EngineApi(options.engine);
  const engine = new Engine({
    api,
    networks: new EngineNetworks({ api, driver, known: networks, cluster, view, isInformed, notices, log }),
    swarm: new SwarmNetworks({ api, view, isInformed, notices, log }),
    ...{ endpoints: endpoints.handed, notices, log },
  });
  engine.start();
  log.info({ socket: options.socket }, 'Docker finds the driver `plait`');
  return {
    close: async () => {
      place?.close();
      await engine.close();
      await Promise.race([server.close(), sleep(CLOSE_MS, undefined, { ref: false })]);
    },
  };
}

/** As with `attach`: not before the maps follow the cluster, and not on a node where nothing new is to be. */
function whenReady(context: AgentContext, methods: Methods, names: readonly string[]): Methods {
  const waiting = names.map((name) => {
    const answer = async (body: unknown): Promise<object> => {
      refuseInactive(context);
      await context.ready();
      return methods[name]?.(body) ?? {};
    };
    return [name, answer] as const;
  });
  return { ...methods, ...Object.fromEntries(waiting) };
}

/** dockerd keeps its connections open. */
const CLOSE_MS = 2000;
