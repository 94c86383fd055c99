/*
 * Who is where in a run: agents on networks, endpoints on agents, all of it following from the numbers asked for.
 * Each agent is on a few networks, by an endpoint that stays; the others come and go. Pure.
 */
import { InvalidInput } from '../../model/errors.js';

export interface ControlOptions {
  readonly agents: number;
  /** How many come and go: at any time, so many exist besides one that stays per agent and network. */
  readonly endpoints: number;
  readonly networks: number;
  /** Attaches per second; as many endpoints are detached. */
  readonly rate: number;
  readonly seconds: number;
  /** Among which the agents are divided. */
  readonly processes: number;
  /** How many endpoints one agent learns to see what each costs it; 0: that is not measured. */
  readonly memoryEndpoints: number;
}

export interface PlannedAgent {
  readonly index: number;
  readonly name: string;
  /** From the addresses for benchmarks (RFC 2544). */
  readonly vtep: string;
  /** Indexes of networks. */
  readonly networks: readonly number[];
}

/** An endpoint by its place: on which agent and network. */
export interface Seat {
  readonly agent: number;
  readonly network: number;
}

const NETWORKS_PER_AGENT = 2;

/** Throws InvalidInput. */
export function checkOptions(options: ControlOptions): void {
  const { agents, endpoints, networks, rate, processes } = options;
  if (networks > agents) {
    const hint = 'use as many networks as agents, or fewer';
    throw new InvalidInput(`divide ${agents} agents among ${networks} networks: some would have none`, hint);
  }
  if (processes > agents) {
    throw new InvalidInput(
      `run ${agents} agents in ${processes} processes: some would have none`,
      'use fewer --processes',
    );
  }
  if (endpoints < rate) {
    const hint = 'use at least as many --endpoints as --rate';
    throw new InvalidInput(
      `let ${endpoints} endpoints come and go at ${rate}/s: each would live less than a second`,
      hint,
    );
  }
}

export function planAgents({ agents, networks }: ControlOptions): PlannedAgent[] {
  return Array.from({ length: agents }, (_, index) => ({
    index,
    name: `agent${index}`,
    vtep: `198.18.${index >> 8}.${index & 255}`,
    networks: networksOf(index, networks),
  }));
}

/** One after another round the ring, the second one at a distance that grows with each round: all mix with all. */
function networksOf(agent: number, networks: number): number[] {
  const distance = 1 + (Math.floor(agent / networks) % Math.max(1, networks - 1));
  const places = Array.from({ length: NETWORKS_PER_AGENT }, (_, at) => (agent + at * distance) % networks);
  return [...new Set(places)];
}

/** Indexes of agents, by network. */
export function membersOf(agents: readonly PlannedAgent[], networks: number): number[][] {
  const members: number[][] = Array.from({ length: networks }, () => []);
  for (const { index, networks: own } of agents) for (const network of own) members[network]?.push(index);
  return members;
}

/** Seats without end: agent after agent, on its networks in turn. */
export function* seats(agents: readonly PlannedAgent[]): Generator<Seat, never> {
  for (let round = 0; ; round++) {
    for (const { index, networks } of agents) {
      yield { agent: index, network: networks[round % networks.length] ?? 0 };
    }
  }
}

/** Splits the agents evenly, in order. */
export function divide<T>(items: readonly T[], parts: number): T[][] {
  const bounds = Array.from({ length: parts + 1 }, (_, at) => Math.round((at * items.length) / parts));
  return bounds.slice(0, -1).map((from, at) => items.slice(from, bounds[at + 1]));
}

/** /18 subnets of 10.0.0.0/8. */
export function subnetOf(network: number): string {
  return `10.${network >> 2}.${(network & 3) << 6}.0/18`;
}

const STANDING = 0xba;
const CHURNING = 0xbe;

/** MACs say which endpoint of the run it is, so that a row in a map can be told. */
export function standingMac(number: number): string {
  return macOf(STANDING, number);
}

export function churningMac(number: number): string {
  return macOf(CHURNING, number);
}

/** Undoes `churningMac`. */
export function churningNumber(mac: Uint8Array): number | undefined {
  if (mac[0] !== 2 || mac[1] !== CHURNING) return undefined;
  return mac.slice(2, 6).reduce((number, byte) => number * 256 + byte, 0);
}

function macOf(kind: number, number: number): string {
  const bytes = [2, kind, number >>> 24, (number >>> 16) & 255, (number >>> 8) & 255, number & 255];
  return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}
