/**
 * From what somebody asks for to a whole network, given what there is already. Pure: the store reads the
 * others, plans, and commits if nobody else created a network in between.
 */

import {
  type Cidr,
  contains,
  formatCidr,
  formatIp,
  overlaps,
  parseCidr,
  parseIp,
  randomUla,
  within,
} from '../model/addresses.js';
import { InvalidInput, PoolExhausted, SubnetOverlap, VnisExhausted, VniTaken } from '../model/errors.js';
import type { HostRoute, NetworkHost, NetworkInput } from '../model/inputs.js';
import type { Network, NetworkSubnet } from '../model/records.js';
import {
  VNI_FIRST,
  VNI_LAST,
  validateLabels,
  validateMtu,
  validateNetworkName,
  validateSubnet,
  validateVni,
} from '../model/validate.js';
import { AddressPool, checkAddress, firstAddress, subnetsOf } from './pool.js';

/** Where the subnets of networks come from for which nobody named one. */
export interface SubnetPools {
  readonly pools: readonly string[];
  /** Prefix length of each subnet. */
  readonly prefix: number;
}

/** Where nobody chose others. */
export const DEFAULT_POOLS: SubnetPools = { pools: ['10.128.0.0/9'], prefix: 24 };

/** What exists in the cluster. */
export interface Existing {
  readonly networks: readonly Network[];
  /** VNI → name or id of its network. */
  readonly vnis: ReadonlyMap<number, string>;
  /** DEFAULT_POOLS when left out. */
  readonly pools?: SubnetPools | undefined;
}

/** Something that a new subnet must stay clear of. */
interface Obstacle {
  readonly cidr: Cidr;
  readonly name: string;
}

/** Throws InvalidInput, SubnetOverlap, VniTaken, PoolExhausted, VnisExhausted. */
export function planNetwork(
  input: NetworkInput,
  host: NetworkHost,
  existing: Existing,
  identity: { id: string; createdAt: string },
): Network {
  const name = validateNetworkName(input.name);
  const internal = input.internal ?? false;
  const cidrs = planSubnets(input, obstaclesOf(host.routes, existing.networks), existing.pools);
  const subnets = describeSubnets(input, cidrs, internal);
  const hasIpv6 = cidrs.some((cidr) => cidr.version === 6);
  return {
    id: identity.id,
    name,
    vni: input.vni === undefined ? lowestFreeVni(existing.vnis) : checkVni(input.vni, existing.vnis),
    subnets,
    internal,
    mtu: validateMtu(input.mtu ?? host.mtu, hasIpv6),
    labels: validateLabels(input.labels ?? {}),
    options: checkOptions(input.options ?? {}),
    createdAt: identity.createdAt,
  };
}

function obstaclesOf(routes: readonly HostRoute[], networks: readonly Network[]): Obstacle[] {
  const ofHost = routes.map(({ subnet, name }) => ({ cidr: parseCidr(subnet), name: `the host's ${name}` }));
  const ofNetworks = networks.flatMap((network) =>
    network.subnets.map(({ subnet }) => ({
      cidr: parseCidr(subnet),
      name: `subnet ${subnet} of network ${network.name}`,
    })),
  );
  // A default route is no claim to the addresses behind it.
  return [...ofHost.filter(({ cidr }) => cidr.prefix > 0), ...ofNetworks];
}

function planSubnets(
  input: NetworkInput,
  obstacles: readonly Obstacle[],
  pools: SubnetPools = DEFAULT_POOLS,
): Cidr[] {
  const cidrs: Cidr[] = [];
  for (const text of input.subnets ?? []) {
    const cidr = validateSubnet(text);
    const own = cidrs.map((other) => ({
      cidr: other,
      name: `subnet ${formatCidr(other)} of the same network`,
    }));
    const hit = [...obstacles, ...own].find((obstacle) => overlaps(obstacle.cidr, cidr));
    if (hit) throw new SubnetOverlap(text, hit.name);
    cidrs.push(cidr);
  }
  // Ranges and gateways belong to subnets that were named; v6 alone must be asked for by its subnet.
  if (cidrs.length === 0) cidrs.push(freeSubnet(obstacles, pools));
  if (input.ipv6 && !cidrs.some((cidr) => cidr.version === 6)) cidrs.push(randomUla());
  return cidrs;
}

function freeSubnet(obstacles: readonly Obstacle[], { pools, prefix }: SubnetPools): Cidr {
  for (const pool of pools) {
    for (const cidr of subnetsOf(parseCidr(pool), prefix)) {
      if (!obstacles.some((obstacle) => overlaps(obstacle.cidr, cidr))) return cidr;
    }
  }
  throw new PoolExhausted(pools.join(', '));
}

function describeSubnets(input: NetworkInput, cidrs: readonly Cidr[], internal: boolean): NetworkSubnet[] {
  const gateways = (input.gateways ?? []).map(parseIp);
  if (internal && gateways.length > 0) {
    throw new InvalidInput('create network: an internal network has no gateway');
  }
  const chosen = assign(
    gateways,
    cidrs,
    (gateway, cidr) => contains(cidr, gateway),
    (g) => `gateway ${formatIp(g)}`,
  );
  const ranges = assign((input.ranges ?? []).map(parseCidr), cidrs, within, (r) => `range ${formatCidr(r)}`);
  return cidrs.map((cidr) => {
    const range = ranges.get(cidr);
    const subnet: NetworkSubnet = {
      subnet: formatCidr(cidr),
      gateway: null,
      ...(range && { range: formatCidr(range) }),
    };
    if (internal) return checkRoom(subnet);
    const gateway = chosen.get(cidr);
    if (gateway) checkAddress(subnet, gateway);
    return checkRoom({ ...subnet, gateway: gateway ? formatIp(gateway) : firstAddress(cidr) });
  });
}

/** Gives each thing to the subnet that contains it, at most one to each. */
function assign<T>(
  things: readonly T[],
  cidrs: readonly Cidr[],
  fits: (thing: T, cidr: Cidr) => boolean,
  nameOf: (thing: T) => string,
): Map<Cidr, T> {
  const assigned = new Map<Cidr, T>();
  for (const thing of things) {
    const cidr = cidrs.find((candidate) => fits(thing, candidate));
    if (!cidr) throw new InvalidInput(`use ${nameOf(thing)}: it is in no subnet of the network`);
    const other = assigned.get(cidr);
    if (other !== undefined) {
      throw new InvalidInput(`use ${nameOf(thing)}: ${formatCidr(cidr)} already has ${nameOf(other)}`);
    }
    assigned.set(cidr, thing);
  }
  return assigned;
}

function checkRoom(subnet: NetworkSubnet): NetworkSubnet {
  if (new AddressPool(subnet).take(new Set()) !== undefined) return subnet;
  throw new InvalidInput(`use range ${subnet.range ?? subnet.subnet}: no address in it for an endpoint`);
}

/** Options are kept for whoever reads them; one that promises what nobody does yet would be worse than an error. */
function checkOptions(options: Readonly<Record<string, string>>): Record<string, string> {
  if (!Object.hasOwn(options, 'encrypted')) return validateLabels(options, 'option');
  throw new InvalidInput(
    'use option encrypted: not supported, traffic would go in the clear',
    'leave it out, and encrypt the underlay itself (WireGuard, IPsec)',
  );
}

function checkVni(vni: number, taken: Existing['vnis']): number {
  const holder = taken.get(validateVni(vni));
  if (holder !== undefined) throw new VniTaken(vni, holder);
  return vni;
}

function lowestFreeVni(taken: Existing['vnis']): number {
  for (let vni = VNI_FIRST; vni <= VNI_LAST; vni++) if (!taken.has(vni)) return vni;
  throw new VnisExhausted();
}

/** Throws InvalidInput: pools are subnets of IPv4, apart from each other, with room for a subnet of the prefix. */
export function validatePools({ pools, prefix }: SubnetPools): void {
  const cidrs = pools.map(validateSubnet);
  for (const [index, cidr] of cidrs.entries()) {
    const doing = `use address pool ${pools[index]}`;
    if (cidr.version !== 4) throw new InvalidInput(`${doing}: give a subnet of IPv4`);
    if (cidr.prefix > prefix) {
      throw new InvalidInput(
        `${doing}: it has no room for a /${prefix}`,
        'name a larger pool, or a longer --default-addr-pool-mask-length',
      );
    }
    const hit = cidrs.slice(0, index).find((other) => overlaps(other, cidr));
    if (hit) throw new InvalidInput(`${doing}: it overlaps with ${formatCidr(hit)}`);
  }
}
