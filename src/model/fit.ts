/**
 * What a record that is right by itself may still be wrong about: the other records. Our own transactions write no
 * such thing; other hands may. A record that does not fit gets no rows, and its neighbours keep theirs.
 */
import { canonicalIp, contains, parseCidr, parseIp } from './addresses.js';
import type { Endpoint, Network } from './records.js';

/** Says why an endpoint cannot be on the network, or nothing. Made once per network, since it is asked often. */
export function fitter(network: Network): (endpoint: Endpoint) => string | undefined {
  const cidrs = network.subnets.map(({ subnet }) => parseCidr(subnet));
  const gateways = new Set(network.subnets.flatMap(({ gateway }) => gateway ?? []).map(canonicalIp));
  return ({ addresses }) => {
    for (const address of addresses) {
      if (gateways.has(address)) return `${address} is the gateway of network ${network.name}`;
      const ip = parseIp(address);
      if (!cidrs.some((cidr) => contains(cidr, ip))) return `${address} is not in network ${network.name}`;
    }
    return undefined;
  };
}

/**
 * The network that has this one's VNI by right: the older one, so that all nodes agree. Undefined when it is this one.
 */
export function vniOwner(network: Network, others: Iterable<Network>): Network | undefined {
  let owner = network;
  for (const other of others) if (ageOf(other) < ageOf(owner)) owner = other;
  return owner.id === network.id ? undefined : owner;
}

function ageOf({ createdAt, id }: Network): string {
  return `${new Date(createdAt).toISOString()} ${id}`;
}
