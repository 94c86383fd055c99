/* The network between the nodes, as the kernel's routing sees it. */
import { canonicalIp } from '../model/addresses.js';
import { PlaitError } from '../model/errors.js';
import { HEADROOM_BRIDGE, HOST_DEVICE, HOST_DEVICE_PEER, VXLAN_DEVICE } from './devices.js';
import { ipQueries, ipQuery, type Link, type LinkAddresses, type RouteInfo, routeDevice } from './ip.js';

/** The device that has this node's underlay address. */
export interface Underlay {
  readonly device: string;
  readonly ifindex: number;
  /** Bytes, of the outer IP packet. */
  readonly mtu: number;
  /** What is left for the inner IP packet. */
  readonly innerMtu: number;
  readonly address: string;
  readonly version: 4 | 6;
}

/** How packets for one VTEP leave this node. */
export interface Route {
  readonly ifindex: number;
  /** The VTEP itself when it is on the link. */
  readonly nextHop: string;
  /** The source address that the kernel would choose. */
  readonly local: string;
  /** Of the path, bytes of the outer IP packet. */
  readonly mtu: number;
}

/** Outer IP + UDP + VXLAN + inner Ethernet (RFC 7348 section 5), counted against the outer IP packet. */
const OVERHEAD = { 4: 20 + 8 + 8 + 14, 6: 40 + 8 + 8 + 14 } as const;

export function innerMtu(outerMtu: number, version: 4 | 6): number {
  return outerMtu - OVERHEAD[version];
}

export async function findUnderlay(address: string): Promise<Underlay> {
  const wanted = canonicalIp(address);
  const args = ['address', 'show', 'to', wanted];
  const links = await ipQuery<Partial<LinkAddresses>>(args, { doing: `find address ${wanted}` });
  const link = links.find(
    (one): one is LinkAddresses => one.addr_info?.some(({ local }) => local === wanted) === true,
  );
  if (!link) {
    throw new PlaitError('NO_UNDERLAY', `find address ${wanted}: no device of this host has it`, {
      hint: 'give an address of this host with --advertise-addr',
    });
  }
  const version = wanted.includes(':') ? 6 : 4;
  const { ifname: device, ifindex, mtu } = link;
  return { device, ifindex, mtu, innerMtu: innerMtu(mtu, version), address: wanted, version };
}

/** Asks for all in one process. Addresses that have no route are missing from the answer. */
export async function nextHops(addresses: readonly string[], local: string): Promise<Map<string, Route>> {
  const wanted = addresses.filter((address) => address.includes(':') === local.includes(':'));
  if (wanted.length === 0) return new Map();
  const doing = 'find routes to the VTEPs';
  const questions = wanted.map((address) => `route get ${address} from ${local}`);
  const routes = (await ipQueries<RouteInfo>(questions, { doing })).filter(isUsable);
  const names = [...new Set(routes.map((route) => route.dev ?? ''))];
  const links = await ipQueries<Link>(
    names.map((name) => `link show dev ${name}`),
    { doing },
  );
  const devices = new Map(links.map((link) => [link.ifname, link]));
  const found = new Map<string, Route>();
  for (const route of routes) {
    const device = devices.get(route.dev ?? '');
    if (device) found.set(route.dst, routeVia(route, device, local));
  }
  return found;
}

/**
 * A VTEP that is an address of this very host cannot be sent to, and the datapath knows no next hops of the other IP
 * version (RFC 5549).
 */
function isUsable(route: RouteInfo): boolean {
  return (route.type ?? 'unicast') === 'unicast' && route.via === undefined;
}

function routeVia(route: RouteInfo, device: Link, local: string): Route {
  const pathMtu = route.metrics?.find(({ mtu }) => mtu !== undefined)?.mtu ?? device.mtu;
  return {
    ifindex: device.ifindex,
    nextHop: route.gateway ?? route.dst,
    local,
    mtu: Math.min(pathMtu, device.mtu),
  };
}

export interface HostPrefix {
  readonly prefix: string;
  readonly device: string;
}

/** Prefixes that the host itself routes or lives on: a network's subnet must not overlap them. Ours are left out. */
export async function hostPrefixes(): Promise<HostPrefix[]> {
  const doing = 'list routes of the host';
  const [v4, v6] = await Promise.all([
    ipQuery<RouteInfo>(['-4', 'route', 'show'], { doing }),
    ipQuery<RouteInfo>(['-6', 'route', 'show'], { doing }),
  ]);
  const prefixes: HostPrefix[] = [];
  for (const route of [...v4, ...v6]) {
    const { dst, type = 'none' } = route;
    const device = routeDevice(route) ?? type; // unreachable, blackhole and the like
    if (dst === 'default' || OWN_DEVICES.has(device)) continue;
    prefixes.push({ prefix: dst.includes('/') ? dst : `${dst}/${dst.includes(':') ? 128 : 32}`, device });
  }
  return prefixes;
}

const OWN_DEVICES = new Set([VXLAN_DEVICE, HOST_DEVICE, HOST_DEVICE_PEER, HEADROOM_BRIDGE]);
