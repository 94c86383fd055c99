/*
 * What a question gets inside a namespace that is attached to some networks. Pure.
 *
 * Ours are: endpoint names and aliases (`web`, `web.1`), the same qualified by the network's name (`web.app`),
 * `tasks.web` for the replicas web.1, web.2 …, and the reverse names of addresses in the networks' subnets. If two
 * networks of the namespace know a name, the one attached first answers: its endpoints are not mixed with others
 * that merely share a name.
 *
 * What no endpoint answers to is forwarded, apart from names that cannot mean anything outside:
 *   - unqualified names, so that the name of a container that just stopped is never asked of a stranger;
 *   - names that end in a number (web.9), since no such top level domain exists;
 *   - addresses in our subnets.
 * Those do not exist (NXDOMAIN). `x.app` is forwarded even if a network is called app: that is a public domain too.
 * On internal networks everything else does not exist either. NXDOMAIN and not REFUSED, because musl's resolver
 * takes REFUSED as no answer and waits for its timeout.
 */

import { isIPv4, isIPv6 } from 'node:net';
import type { Answer } from 'dns-packet';
import { contains, parseCidr, parseIp } from '../model/addresses.js';
import { EXTERNAL_NODE } from '../model/records.js';
import type { Question } from './message.js';
import { addressOfReverseName } from './reverse.js';

/** In seconds. Short, since endpoints come and go; not 0, since some resolvers then ask twice per connection. */
export const TTL = 5;

/** What names are answered from; the agent's view of the cluster is one. */
export interface ZoneView {
  readonly networks: ReadonlyMap<string, ZoneNetwork>;
  /** Ids of the nodes that are up. */
  readonly alive: ReadonlySet<string>;
  /** Endpoints of a network with that name or alias, and for tasks.<name> its replicas. */
  endpointsNamed(network: string, name: string): readonly ZoneEndpoint[];
  endpointAt(network: string, address: string): ZoneEndpoint | undefined;
}

export interface ZoneNetwork {
  readonly name: string;
  readonly internal: boolean;
  readonly subnets: readonly { readonly subnet: string }[];
}

export interface ZoneEndpoint {
  readonly name: string;
  readonly node: string;
  readonly addresses: readonly string[];
}

export type Verdict =
  | { readonly kind: 'answer'; readonly records: Answer[] }
  /** The name exists, a record of that type does not. */
  | { readonly kind: 'empty' }
  | { readonly kind: 'absent' }
  | { readonly kind: 'forward' }
  /** A network of this namespace is not known yet, so that nothing can be said about the name. */
  | { readonly kind: 'unknown' };

/** Questions about the root zone's own delegations, the only ones with a single label that make sense outside. */
const delegationTypes = new Set(['NS', 'SOA', 'DS', 'DNSKEY']);

/**
 * @param networks ids of the networks that the namespace is attached to, in order of attachment
 * @param random as Math.random; decides the order of several addresses
 */
export function resolve(
  question: Question,
  view: ZoneView,
  networks: readonly string[],
  random: () => number = Math.random,
): Verdict {
  if (!question.plain) return elsewhere(view, networks);
  const name = question.name.toLowerCase();
  const address = addressOfReverseName(name);
  if (address !== undefined) return resolveReverse(question, address, view, networks);

  const endpoints = findEndpoints(name, view, networks);
  if (endpoints.length > 0) return addressRecords(question, endpoints, random);
  return cannotExistOutside(name, question.type) ? absent(view, networks) : elsewhere(view, networks);
}

function findEndpoints(name: string, view: ZoneView, networks: readonly string[]): readonly ZoneEndpoint[] {
  for (const network of networks) {
    const endpoints = named(view, network, name);
    if (endpoints.length > 0) return endpoints;
  }
  for (const network of networks) {
    const suffix = `.${view.networks.get(network)?.name.toLowerCase()}`;
    if (!name.endsWith(suffix)) continue;
    const endpoints = named(view, network, name.slice(0, -suffix.length));
    if (endpoints.length > 0) return endpoints;
  }
  return [];
}

/**
 * The endpoints that a name means on one network: those that have it, else the replicas of it. Those of nodes
 * that are down are left out as long as another one is up.
 */
function named(view: ZoneView, network: string, name: string): readonly ZoneEndpoint[] {
  const exact = view.endpointsNamed(network, name);
  const all = exact.length > 0 ? exact : view.endpointsNamed(network, `tasks.${name}`);
  const up = all.filter(({ node }) => node === EXTERNAL_NODE || view.alive.has(node));
  return up.length > 0 ? up : all;
}

function addressRecords(
  question: Question,
  endpoints: readonly ZoneEndpoint[],
  random: () => number,
): Verdict {
  const { name, type } = question;
  const records: Answer[] = [];
  for (const address of endpoints.flatMap(({ addresses }) => addresses)) {
    if (isIPv4(address) && (type === 'A' || type === 'ANY')) {
      records.push({ name, type: 'A', ttl: TTL, data: address });
    }
    if (isIPv6(address) && (type === 'AAAA' || type === 'ANY')) {
      records.push({ name, type: 'AAAA', ttl: TTL, data: address });
    }
  }
  return records.length > 0 ? { kind: 'answer', records: shuffle(records, random) } : { kind: 'empty' };
}

/** Reverse names are qualified, so that they lead back to the same address from any namespace. */
function resolveReverse(
  question: Question,
  address: string,
  view: ZoneView,
  networks: readonly string[],
): Verdict {
  for (const id of networks) {
    const holder = view.endpointAt(id, address);
    const network = view.networks.get(id);
    if (!holder || !network) continue;
    if (question.type !== 'PTR' && question.type !== 'ANY') return { kind: 'empty' };
    const data = `${holder.name}.${network.name}`;
    return { kind: 'answer', records: [{ name: question.name, type: 'PTR', ttl: TTL, data }] };
  }
  if (networks.some((id) => covers(view.networks.get(id), address))) return { kind: 'absent' };
  return elsewhere(view, networks);
}

function cannotExistOutside(name: string, type: string): boolean {
  if (name === '.') return false;
  const labels = name.split('.');
  if (/^\d+$/.test(labels.at(-1) ?? '')) return true;
  return labels.length === 1 && !delegationTypes.has(type);
}

function absent(view: ZoneView, networks: readonly string[]): Verdict {
  return allKnown(view, networks) ? { kind: 'absent' } : { kind: 'unknown' };
}

function elsewhere(view: ZoneView, networks: readonly string[]): Verdict {
  if (!allKnown(view, networks)) return { kind: 'unknown' };
  const open = networks.some((id) => view.networks.get(id)?.internal === false);
  return { kind: open ? 'forward' : 'absent' };
}

function covers(network: ZoneNetwork | undefined, address: string): boolean {
  const ip = parseIp(address);
  return network?.subnets.some(({ subnet }) => contains(parseCidr(subnet), ip)) ?? false;
}

function allKnown(view: ZoneView, networks: readonly string[]): boolean {
  return networks.every((id) => view.networks.get(id) !== undefined);
}

/** Fisher–Yates, in place. */
function shuffle<T>(items: T[], random: () => number): T[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [items[i], items[j]] = [items[j] as T, items[i] as T];
  }
  return items;
}
