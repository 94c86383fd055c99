/*
 * The gateway of every network that is live here, on plait0: its addresses, the routes from the host to the
 * networks' containers, and the way out with masquerading. It is the same on every node, so a container's gateway is
 * always beside it.
 *
 * Level-triggered: `apply` gets all live networks and changes only what differs from what the kernel has.
 */
import { canonicalIp, overlaps, parseCidr } from '../model/addresses.js';
import { SubnetOverlap } from '../model/errors.js';
import { HOST_DEVICE } from './devices.js';
import { applyFirewall, installedSubnets } from './firewall.js';
import { forwardIpv4, forwardIpv6 } from './forwarding.js';
import { ipBatch, ipQuery, type LinkAddresses, type RouteInfo } from './ip.js';
import type { Sysctls } from './sysctl.js';
import { type HostPrefix, hostPrefixes } from './underlay.js';

export interface GatewayNetwork {
  readonly vni: number;
  /** Bytes, of IP packets. */
  readonly mtu: number;
  /** An internal network has no gateway and no way out, whatever its subnets say. */
  readonly internal: boolean;
  readonly subnets: readonly { readonly subnet: string; readonly gateway: string | null }[];
}

/** What plait0 should have. Addresses are whole (/32, /128), so that routes are ours to choose. */
interface Wanted {
  readonly addresses: ReadonlySet<string>;
  /** Subnet → the rest of its route. */
  readonly routes: ReadonlyMap<string, string>;
}

export class Gateway {
  readonly #port: number;
  readonly #sysctls: Sysctls;
  #hasFirewall = false;

  /** `port` is that of VXLAN. */
  constructor(port: number, sysctls: Sysctls) {
    this.#port = port;
    this.#sysctls = sysctls;
  }

  /**
   * True when something was changed. SUBNET_OVERLAP when the host itself has a route into a subnet that is new here:
   * ours would take its place. All other networks are set up before that is thrown.
   */
  async apply(networks: readonly GatewayNetwork[]): Promise<boolean> {
    const clashes = await clashesWithHost([...wantedOf(networks).routes.keys()]);
    const wanted = wantedOf(networks, new Set(clashes.keys()));
    const changed = await this.#apply(wanted);
    for (const [subnet, { prefix, device }] of clashes) {
      throw new SubnetOverlap(subnet, `the host's route ${prefix} dev ${device}`);
    }
    return changed;
  }

  async #apply(wanted: Wanted): Promise<boolean> {
    const subnets = [...wanted.routes.keys()].sort();
    if (subnets.some((subnet) => !subnet.includes(':'))) await forwardIpv4(this.#sysctls);
    if (subnets.some((subnet) => subnet.includes(':'))) await forwardIpv6(this.#sysctls);
    const lines = await differences(wanted);
    await ipBatch(lines, { doing: `set up gateways on ${HOST_DEVICE}` });
    return (await this.#applyFirewall(subnets)) || lines.length > 0;
  }

  /** What differs from the kernel, as [what, expected, actual]. */
  async verify(networks: readonly GatewayNetwork[]): Promise<[string, string | null, string | null][]> {
    const wanted = wantedOf(networks);
    const faults: [string, string | null, string | null][] = [];
    for (const line of await differences(wanted)) {
      const [, verb = '', what = ''] = line.split(' ');
      if (verb === 'delete') faults.push([`${HOST_DEVICE} ${what}`, null, what]);
      else faults.push([`${HOST_DEVICE} ${what}`, what, null]);
    }
    const subnets = [...wanted.routes.keys()].sort().join(' ');
    const installed = (await installedSubnets())?.sort().join(' ') ?? null;
    if (installed !== subnets) faults.push(['nftables inet plait', subnets, installed]);
    return faults;
  }

  /** Each agent writes the table once, whatever is there, and again when its subnets differ from the kernel's. */
  async #applyFirewall(subnets: readonly string[]): Promise<boolean> {
    const wanted = subnets.join(' ');
    if (this.#hasFirewall && (await installedSubnets())?.sort().join(' ') === wanted) return false;
    await applyFirewall({ subnets, port: this.#port });
    this.#hasFirewall = true;
    return true;
  }
}

/** Subnets without a route yet that the host already has one into. */
async function clashesWithHost(subnets: readonly string[]): Promise<Map<string, HostPrefix>> {
  const present = await presentRoutes();
  const fresh = subnets.filter((subnet) => !present.has(subnet));
  const clashes = new Map<string, HostPrefix>();
  if (fresh.length === 0) return clashes;
  const taken = (await hostPrefixes()).map((host) => ({ host, cidr: parseCidr(host.prefix) }));
  for (const subnet of fresh) {
    const cidr = parseCidr(subnet);
    const clash = taken.find((other) => overlaps(other.cidr, cidr));
    if (clash) clashes.set(subnet, clash.host);
  }
  return clashes;
}

function wantedOf(networks: readonly GatewayNetwork[], without: ReadonlySet<string> = new Set()): Wanted {
  const addresses = new Set<string>();
  const routes = new Map<string, string>();
  for (const { internal, mtu, subnets } of networks) {
    for (const { subnet, gateway } of subnets) {
      if (internal || gateway === null || without.has(subnet)) continue;
      const address = canonicalIp(gateway);
      addresses.add(`${address}/${subnet.includes(':') ? 128 : 32}`);
      routes.set(subnet, `dev ${HOST_DEVICE} src ${address} mtu ${mtu}`);
    }
  }
  return { addresses, routes };
}

/** The batch that makes plait0 as wanted: new before old, so that what stays never lacks its source address. */
async function differences({ addresses, routes }: Wanted): Promise<string[]> {
  const [hasAddresses, hasRoutes] = await Promise.all([presentAddresses(), presentRoutes()]);
  const lines: string[] = [];
  for (const address of addresses) {
    if (hasAddresses.has(address)) continue;
    lines.push(`address add ${address} dev ${HOST_DEVICE}${address.includes(':') ? ' nodad' : ''}`);
  }
  for (const [subnet, rest] of routes) {
    if (hasRoutes.get(subnet) !== rest) lines.push(`route replace ${subnet} ${rest}`);
  }
  for (const subnet of hasRoutes.keys()) {
    if (!routes.has(subnet)) lines.push(`route delete ${subnet} dev ${HOST_DEVICE}`);
  }
  for (const address of hasAddresses) {
    if (!addresses.has(address)) lines.push(`address delete ${address} dev ${HOST_DEVICE}`);
  }
  return lines;
}

async function presentAddresses(): Promise<Set<string>> {
  const args = ['address', 'show', 'dev', HOST_DEVICE];
  const links = await ipQuery<LinkAddresses>(args, { doing: `list addresses of ${HOST_DEVICE}` });
  const own = links.flatMap((link) => link.addr_info).filter(({ local }) => !local.startsWith('fe80:'));
  return new Set(own.map(({ local, prefixlen }) => `${local}/${prefixlen}`));
}

async function presentRoutes(): Promise<Map<string, string>> {
  const doing = `list routes of ${HOST_DEVICE}`;
  const [v4, v6] = await Promise.all([
    ipQuery<RouteInfo>(['-4', 'route', 'show', 'dev', HOST_DEVICE], { doing }),
    ipQuery<RouteInfo>(['-6', 'route', 'show', 'dev', HOST_DEVICE], { doing }),
  ]);
  const rest = (route: RouteInfo): string =>
    `dev ${HOST_DEVICE} src ${route.prefsrc} mtu ${route.metrics?.find(({ mtu }) => mtu)?.mtu}`;
  return new Map([...v4, ...v6].filter(isOurs).map((route) => [withLength(route.dst), rest(route)]));
}

/** The kernel adds a route for every IPv6 address (proto kernel), and takes it away with it. */
function isOurs(route: RouteInfo): boolean {
  return route.protocol !== 'kernel';
}

function withLength(dst: string): string {
  if (dst.includes('/')) return dst;
  return `${dst}/${dst.includes(':') ? 128 : 32}`;
}
