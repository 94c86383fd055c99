/** Which rows one record gives. What one endpoint needs does not depend on any other endpoint. */
import {
  type Addr,
  GATEWAY_MAC,
  type Ip,
  type IpVersion,
  linkLocalAddr,
  NO_ADDR,
  parseCidr,
  parseIp,
  parseMac,
  toAddr,
} from './addresses.js';
import type { Endpoint, Network } from './records.js';
import {
  type Attachment,
  ENDPOINT_INTERNAL,
  type EndpointRow,
  type Neighbor,
  type NeighborKey,
  type NetworkRow,
  type SubnetKey,
  type SubnetRow,
} from './rows.js';

const V4_MAPPED_BITS = 96;

/** Every address of the endpoint answers with its MAC, its link-local one included. */
export function endpointNeighbors(
  network: Network,
  endpoint: Endpoint,
  mac: Uint8Array,
): [NeighborKey, Neighbor][] {
  const addrs = [...endpoint.addresses.map((text) => toAddr(parseIp(text))), linkLocalAddr(mac)];
  return addrs.map((addr) => [{ vni: network.vni, addr }, { mac }]);
}

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
    flags: flagsOf(network),
    mtu: network.mtu,
    mac,
    ip4: Number(firstOf(addresses, 4)?.value ?? 0n),
    ip6: addrOrNone(firstOf(addresses, 6)),
    linkLocal: linkLocalAddr(mac),
  };
}

export function networkRow(network: Network): NetworkRow {
  const gateways = gatewaysOf(network);
  return {
    flags: flagsOf(network),
    mtu: network.mtu,
    gateway4: addrOrNone(firstOf(gateways, 4)),
    gateway6: addrOrNone(firstOf(gateways, 6)),
  };
}

/** The gateways answer with the MAC that every node has; internal networks have none. */
export function gatewayNeighbors(network: Network): [NeighborKey, Neighbor][] {
  const mac = parseMac(GATEWAY_MAC);
  return gatewaysOf(network).map((ip) => [{ vni: network.vni, addr: toAddr(ip) }, { mac }]);
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

function gatewaysOf(network: Network): Ip[] {
  if (network.internal) return [];
  return network.subnets.flatMap(({ gateway }) => (gateway === null ? [] : [parseIp(gateway)]));
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
