/** Which rows one record gives. What one endpoint needs does not depend on any other endpoint. */
import {
  type Addr,
  type Ip,
  type IpVersion,
  linkLocalAddr,
  NO_ADDR,
  parseCidr,
  parseIp,
  toAddr,
} from './addresses.js';
import type { Endpoint, Network } from './records.js';
import {
  type Attachment,
  ENDPOINT_INTERNAL,
  ENDPOINT_TAKES_XDP,
  type EndpointRow,
  type NetworkRow,
  type SubnetKey,
  type SubnetRow,
} from './rows.js';

const V4_MAPPED_BITS = 96;

/** The row of the host end that the endpoint's frames come from. */
export function endpointRow(
  network: Network,
  endpoint: Endpoint,
  mac: Uint8Array,
  attachment: Attachment,
): EndpointRow {
  const addresses = endpoint.addresses.map(parseIp);
  return {
    vni: network.vni,
    slot: attachment.slot,
    flags: flagsOf(network) | (attachment.takesXdp ? ENDPOINT_TAKES_XDP : 0),
    mtu: network.mtu,
    mac,
    ip4: Number(firstOf(addresses, 4)?.value ?? 0n),
    ip6: addrOrNone(firstOf(addresses, 6)),
    linkLocal: linkLocalAddr(mac),
  };
}

export function networkRow(network: Network): NetworkRow {
  const gateways = gatewayAddresses(network).map(parseIp);
  return {
    flags: flagsOf(network),
    mtu: network.mtu,
    gateway4: addrOrNone(firstOf(gateways, 4)),
    gateway6: addrOrNone(firstOf(gateways, 6)),
  };
}

/** Internal networks have no gateway. */
export function gatewayAddresses(network: Network): string[] {
  if (network.internal) return [];
  return network.subnets.flatMap(({ gateway }) => gateway ?? []);
}

/** Where frames from the host go; the host has no business on an internal network. */
export function subnetRows(network: Network): [SubnetKey, SubnetRow][] {
  if (network.internal) return [];
  return network.subnets.map(({ subnet }) => {
    const { version, base, prefix } = parseCidr(subnet);
    const prefixLen = version === 4 ? prefix + V4_MAPPED_BITS : prefix;
    return [{ prefixLen, addr: toAddr({ version, value: base }) }, { vni: network.vni }];
  });
}

function flagsOf(network: Network): number {
  return network.internal ? ENDPOINT_INTERNAL : 0;
}

function firstOf(addresses: readonly Ip[], version: IpVersion): Ip | undefined {
  return addresses.find((ip) => ip.version === version);
}

function addrOrNone(ip: Ip | undefined): Addr {
  return ip === undefined ? NO_ADDR : toAddr(ip);
}
