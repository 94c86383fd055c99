/* What a container's endpoint and its interface look like, from a request and from records. Pure. */
import { contains, formatIp, linkLocal, parseCidr, parseIp } from '../model/addresses.js';
import type { AttachRequest } from '../model/api.js';
import type { EndpointInput } from '../model/inputs.js';
import type { Endpoint, Network } from '../model/records.js';
import type { VethSpec } from '../net/veth.js';
import type { JournalEntry } from './journal.js';

/** The part of an endpoint that is asked for. */
export function endpointInput(request: AttachRequest): Omit<EndpointInput, 'node' | 'id'> {
  const { name, ip, mac, aliases, labels } = request;
  return {
    name,
    ...(ip && { addresses: ip }),
    ...(mac && { mac }),
    ...(aliases && { aliases }),
    ...(labels && { labels }),
  };
}

export function interfaceSpec(entry: JournalEntry, endpoint: Endpoint, network: Network): VethSpec {
  const hasIpv6 = endpoint.addresses.some((address) => address.includes(':'));
  return {
    hostIfname: entry.hostIfname,
    ifname: entry.ifname,
    netns: entry.netns,
    mac: endpoint.mac,
    mtu: network.mtu,
    addresses: endpoint.addresses.map((address) => `${address}/${prefixLength(address, network)}`),
    // Without an IPv6 address IPv6 may be switched off in the namespace, and even this one would be refused.
    linkLocal: hasIpv6 ? formatIp(linkLocal(endpoint.mac)) : undefined,
    gateways: network.internal ? [] : gatewaysFor(endpoint, network),
  };
}

/** A host route's length when no subnet has the address any more. */
function prefixLength(address: string, network: Network): number {
  const ip = parseIp(address);
  const subnet = network.subnets.map(({ subnet }) => parseCidr(subnet)).find((cidr) => contains(cidr, ip));
  return subnet?.prefix ?? (ip.version === 4 ? 32 : 128);
}

/** The first of each IP version of which the endpoint has an address. */
function gatewaysFor(endpoint: Endpoint, network: Network): string[] {
  const gateways: string[] = [];
  for (const version of [4, 6] as const) {
    const isSame = (address: string): boolean => parseIp(address).version === version;
    const gateway = network.subnets.flatMap((subnet) => subnet.gateway ?? []).find(isSame);
    if (gateway !== undefined && endpoint.addresses.some(isSame)) gateways.push(gateway);
  }
  return gateways;
}
