/** From what somebody asks for to a whole endpoint: checks, and the choice of MAC and addresses. Pure. */
import {
  containerMac,
  contains,
  formatIp,
  type Ip,
  type IpVersion,
  macOfAddress,
  parseCidr,
  parseIp,
  randomMac,
  vtepAddress,
} from '../model/addresses.js';
import { InvalidInput, RangeFull } from '../model/errors.js';
import type { EndpointInput } from '../model/inputs.js';
import { type Endpoint, EXTERNAL_NODE, type Network, type NetworkSubnet } from '../model/records.js';
import { validateEndpointName, validateLabels } from '../model/validate.js';
import { AddressPool, checkAddress } from './pool.js';

/** An endpoint that lacks the addresses that nobody asked for. */
export interface EndpointDraft {
  /** With the requested addresses only. */
  readonly endpoint: Endpoint;
  readonly isMacRequested: boolean;
  /** It gets the MAC of its first address when it has that. */
  readonly hasMacOfAddress: boolean;
  /** For which versions an address is to be chosen. */
  readonly missing: readonly IpVersion[];
}

/** Throws InvalidInput. */
export function draftEndpoint(
  network: Network,
  input: EndpointInput,
  identity: { id: string; createdAt: string },
): EndpointDraft {
  const requested = checkRequested(network, (input.addresses ?? []).map(parseIp));
  const versions = new Set(network.subnets.map(({ subnet }) => parseCidr(subnet).version));
  // A declared peer has been configured by hand: it does not have what we would choose on top.
  const hasAll = input.node === EXTERNAL_NODE && requested.length > 0;
  return {
    endpoint: {
      id: identity.id,
      network: network.id,
      node: input.node,
      name: validateEndpointName(input.name),
      aliases: (input.aliases ?? []).map(validateEndpointName),
      mac: input.mac === undefined ? randomMac() : containerMac(input.mac),
      addresses: requested.map(formatIp),
      labels: validateLabels(input.labels ?? {}),
      createdAt: identity.createdAt,
      ...checkVtep(input),
    },
    isMacRequested: input.mac !== undefined,
    hasMacOfAddress: input.mac === undefined && input.hasMacOfAddress === true,
    missing: hasAll ? [] : [...versions].filter((version) => !requested.some((ip) => ip.version === version)),
  };
}

function checkRequested(network: Network, requested: readonly Ip[]): readonly Ip[] {
  for (const ip of requested) {
    const subnet = network.subnets.find((candidate) => contains(parseCidr(candidate.subnet), ip));
    if (!subnet) {
      const subnets = network.subnets.map((candidate) => candidate.subnet).join(', ');
      throw new InvalidInput(`use address ${formatIp(ip)}: not in network ${network.name} (${subnets})`);
    }
    checkAddress(subnet, ip);
    if (requested.filter((other) => other.version === ip.version).length > 1) {
      throw new InvalidInput(
        `use addresses ${requested.map(formatIp).join(', ')}: at most one per IP version`,
      );
    }
  }
  return requested;
}

function checkVtep({ node, vtep }: EndpointInput): { vtep?: string } {
  if (node !== EXTERNAL_NODE) {
    if (vtep !== undefined) throw new InvalidInput(`use vtep ${vtep}: only declared endpoints have one`);
    return {};
  }
  if (vtep === undefined) throw new InvalidInput('declare endpoint: its vtep is missing');
  return { vtep: vtepAddress(vtep) };
}

/** Pools of one network, to hand out many addresses without looking at the same ones again and again. */
export class NetworkPools {
  readonly #network: Network;
  readonly #taken: Set<string>;
  readonly #pools = new Map<NetworkSubnet, AddressPool>();

  constructor(network: Network, taken: Iterable<string>) {
    this.#network = network;
    this.#taken = new Set(taken);
  }

  /** No address that is chosen later will be this one. */
  reserve(address: string): void {
    this.#taken.add(address);
  }

  /** The draft with addresses, in the order IPv4, IPv6. Throws RangeFull. */
  complete(draft: EndpointDraft): Endpoint {
    const chosen = draft.missing.map((version) => this.#choose(version));
    const addresses = [...draft.endpoint.addresses, ...chosen];
    addresses.sort((a, b) => parseIp(a).version - parseIp(b).version);
    const [first = ''] = addresses;
    const mac = draft.hasMacOfAddress ? macOfAddress(this.#network.id, first) : draft.endpoint.mac;
    return { ...draft.endpoint, mac, addresses };
  }

  #choose(version: IpVersion): string {
    const subnets = this.#network.subnets.filter(({ subnet }) => parseCidr(subnet).version === version);
    for (const subnet of subnets) {
      const address = this.#poolOf(subnet).take(this.#taken);
      if (address === undefined) continue;
      this.#taken.add(address);
      return address;
    }
    const ranges = subnets.map(({ subnet, range }) => range ?? subnet).join(', ');
    const used = subnets.reduce((sum, subnet) => sum + this.#poolOf(subnet).used(this.#taken), 0);
    throw new RangeFull(this.#network.name, ranges, used);
  }

  #poolOf(subnet: NetworkSubnet): AddressPool {
    const known = this.#pools.get(subnet);
    if (known) return known;
    const pool = new AddressPool(subnet);
    this.#pools.set(subnet, pool);
    return pool;
  }
}
