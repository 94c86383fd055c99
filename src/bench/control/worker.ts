/* A process full of simulated agents, led by calls. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import pino from 'pino';
import type { Network, Node } from '../../model/records.js';
import { SimulatedAgent } from './agent.js';
import { type Methods, serveCalls } from './calls.js';
import { now } from './clock.js';
import { churningMac, churningNumber } from './plan.js';

export interface AgentSeat {
  readonly index: number;
  readonly node: Node;
  readonly networks: readonly Network[];
}

export interface StartRequest {
  readonly etcd: string;
  readonly agents: readonly AgentSeat[];
}

/** The endpoint with that number was reachable from that agent at that time. */
export interface Sighting {
  readonly endpoint: number;
  readonly agent: number;
  /** As of `now`. */
  readonly at: number;
}

export interface Usage {
  /** Of the process, since its start, seconds. */
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  readonly heapBytes: number;
  /** What a timer waits for others' work, ms; since the last `usage`. */
  readonly lag: { readonly p50: number; readonly p99: number; readonly max: number };
}

/** At once: each lists the whole cluster when it starts. */
const STARTING = 4;

const agents = new Map<number, SimulatedAgent>();
const networks = new Map<string, Network>();
const log = pino({ level: 'error' }, pino.destination({ dest: 2, sync: true }));
/** How often a timer looks how late it is, ms; that is in what it notes. */
const LOOK_MS = 5;
const delay = monitorEventLoopDelay({ resolution: LOOK_MS });
/** Flat: endpoint, agent, time. There may be millions. */
const sightings: number[] = [];

const methods = {
  /** Resolves when all have registered and their maps are complete; how long each took, ms. */
  async start({ etcd, agents: seats }: StartRequest): Promise<number[]> {
    delay.enable();
    const times: number[] = [];
    const queue = seats.values();
    const starter = async (): Promise<void> => {
      for (const seat of queue) times.push(await startAgent(etcd, seat));
    };
    await Promise.all(Array.from({ length: STARTING }, starter));
    return times;
  },

  /** Resolves with its id and when etcd had it. */
  async attach(request: { agent: number; network: string; endpoint: number }) {
    const { agent, network, endpoint } = request;
    const place = networks.get(network);
    if (!place) throw new Error(`attach endpoint ${endpoint}: no network ${network}`);
    const id = await agentAt(agent).attach(place, { name: `e${endpoint}`, mac: churningMac(endpoint) });
    return { id, at: now() };
  },

  detach({ agent, id }: { agent: number; id: string }): Promise<void> {
    return agentAt(agent).detach(id);
  },

  /** How many rows for endpoints of the run became visible so far. */
  sighted(): number {
    return sightings.length / 3;
  },

  sightings(): Float64Array {
    return Float64Array.from(sightings);
  },

  /** How many MACs each agent can send to. */
  reachable(): [agent: number, macs: number][] {
    return Array.from(agents, ([index, agent]) => [index, agent.reachable]);
  },

  usage(): Usage {
    const { user, system } = process.cpuUsage();
    const { rss, heapUsed } = process.memoryUsage();
    const late = (ns: number): number => Math.max(0, ns / 1e6 - LOOK_MS);
    const lag = { p50: late(delay.percentile(50)), p99: late(delay.percentile(99)), max: late(delay.max) };
    delay.reset();
    return {
      cpuSeconds: (user + system) / 1e6,
      residentBytes: rss,
      heapBytes: heapUsed,
      lag,
    };
  },

  async stop(): Promise<void> {
    await Promise.all(Array.from(agents.values(), (agent) => agent.close()));
    agents.clear();
  },
} satisfies Methods;

export type WorkerMethods = typeof methods;

async function startAgent(etcd: string, { index, node, networks: own }: AgentSeat): Promise<number> {
  const started = now();
  for (const network of own) networks.set(network.id, network);
  const onReachable = (mac: Uint8Array): void => {
    const endpoint = churningNumber(mac);
    if (endpoint !== undefined) sightings.push(endpoint, index, now());
  };
  const agent = new SimulatedAgent({ etcd, node, networks: own, log, onReachable });
  agents.set(index, agent);
  await agent.start();
  return now() - started;
}

function agentAt(index: number): SimulatedAgent {
  const agent = agents.get(index);
  if (!agent) throw new Error(`ask agent ${index}: it is not in this process`);
  return agent;
}

serveCalls(methods);
