/*
 * A container's interface: a veth or netkit pair whose host end stays here and whose other end is created in the
 * container's namespace under its final name, so that a name that is taken there fails before anything exists.
 *
 * Removing the host end removes everything: the other end, its addresses and its routes.
 */
import { createHash } from 'node:crypto';
import { features, interfaceIndex } from 'libbpf-ts-bindings';
import { PlaitError } from '../model/errors.js';
import { HEADROOM_BRIDGE } from './devices.js';
import { batchWord, ipBatch, ipQuery, type Link, type RouteInfo } from './ip.js';
import { type LinkKind, NETKIT } from './netkit.js';
import { CommandFailed, run } from './run.js';

export interface VethSpec {
  /** veth when left out. */
  readonly kind?: LinkKind | undefined;
  /** See `hostIfname`. */
  readonly hostIfname: string;
  /** Name inside the namespace. */
  readonly ifname: string;
  /** Path of the namespace. */
  readonly netns: string;
  readonly mac: string;
  /** Bytes, of IP packets. */
  readonly mtu: number;
  /** Each with /prefix-length. */
  readonly addresses: readonly string[];
  /** IPv6 link-local address, without prefix length; none when left out. */
  readonly linkLocal?: string | undefined;
  /** At most one per IP version. A namespace that has a default route of that version keeps its own. */
  readonly gateways: readonly string[];
}

export interface HostEnd {
  readonly ifname: string;
  readonly ifindex: number;
}

/**
 * Of host ends, whatever the network's is: a veth silently discards what is longer than the MTU of the end where it
 * arrives, so a container that has raised its own would never be told what fits.
 */
const HOST_END_MTU = 65535;

const HOST_IFNAME = /^pl[0-9a-f]{11}$/;

/** The name of an endpoint's host end. 44 bits of a digest: 15 characters are all that the kernel allows. */
export function hostIfname(endpointId: string): string {
  return `pl${createHash('sha256').update(endpointId).digest('hex').slice(0, 11)}`;
}

/**
 * Creates the interface whole, or nothing. Returns the host end's ifindex. The host end is up, but it is a port of a
 * bridge that is down, and a netkit's other end is mute by itself: what the container sends goes nowhere until a
 * program is attached.
 */
export async function createVeth(spec: VethSpec): Promise<number> {
  const inside = await settleBoth(createPair(spec), lookInside(spec.netns), spec.hostIfname);
  try {
    await configureInside(spec, inside);
    return interfaceIndex(spec.hostIfname);
  } catch (error) {
    await deleteVeth(spec.hostIfname).catch(() => undefined); // what went wrong first is what matters
    throw error;
  }
}

/** Only a veth takes them, and only while it has NAPI, which GRO gives it. */
const TAKE_XDP =
  'case $(ethtool -i "$1") in "driver: veth"*) ethtool -K "$1" gro on && echo yes;; *) echo no;; esac';

/**
 * Makes a container's interface take frames without an skb, for those that XDP redirects to its host end. False: it is
 * a netkit, which has no place for them.
 */
export async function takeXdp(netns: string, ifname: string): Promise<boolean> {
  const doing = `switch on GRO of interface ${ifname} in ${netns}`;
  const answer = await run('sh', ['-c', TAKE_XDP, 'sh', ifname], { doing, netns });
  return answer.trim().endsWith('yes');
}

/** The same pair with its other end here and down, for who moves it into a namespace and sets it up there. */
export async function createVethHere(
  spec: Pick<VethSpec, 'kind' | 'hostIfname' | 'ifname' | 'mac' | 'mtu'>,
): Promise<number> {
  await createPair(spec);
  return interfaceIndex(spec.hostIfname);
}

/** Returns false when there is no such interface. */
export async function deleteVeth(ifname: string): Promise<boolean> {
  try {
    await run('ip', ['link', 'delete', 'dev', ifname], { doing: `delete interface ${ifname}` });
    return true;
  } catch (error) {
    if (error instanceof CommandFailed && error.stderr.includes('Cannot find device')) return false;
    throw error;
  }
}

/** Many at once. What is gone already is fine. */
export async function deleteVeths(ifnames: readonly string[]): Promise<void> {
  if (ifnames.length === 0) return;
  const stdin = ifnames.map((ifname) => `link delete dev ${ifname}\n`).join('');
  const timeout = 10_000 + ifnames.length * 100;
  await run('ip', ['-force', '-batch', '-'], { doing: 'delete host ends', stdin, timeout, partial: true });
}

/** The host ends that exist here, whoever left them. */
export async function listVeths(): Promise<HostEnd[]> {
  const kinds: LinkKind[] = features.netkit() ? ['veth', 'netkit'] : ['veth'];
  const list = (kind: LinkKind) => ipQuery<Link>(['link', 'show', 'type', kind], { doing: 'list host ends' });
  return (await Promise.all(kinds.map(list)))
    .flat()
    .filter((link) => HOST_IFNAME.test(link.ifname))
    .map((link) => ({ ifname: link.ifname, ifindex: link.ifindex }));
}

/** Waits for both, so that nothing is under way any more when the caller hears of a failure. */
async function settleBoth<T>(pair: Promise<void>, other: Promise<T>, ifname: string): Promise<T> {
  const [made, answered] = await Promise.allSettled([pair, other]);
  if (made.status === 'rejected') throw made.reason;
  if (answered.status === 'fulfilled') return answered.value;
  await deleteVeth(ifname).catch(() => undefined);
  throw answered.reason;
}

type Pair = Pick<VethSpec, 'kind' | 'hostIfname' | 'ifname' | 'mac' | 'mtu'> & { readonly netns?: string };

async function createPair(spec: Pair): Promise<void> {
  const { kind, hostIfname: host, ifname, netns, mac, mtu } = spec;
  const type = kind === 'netkit' ? NETKIT : 'type veth peer';
  const peer = `name ${batchWord(ifname)} address ${mac} mtu ${mtu}${netns === undefined ? '' : ` netns ${batchWord(netns)}`}`;
  const add = (master: string) =>
    ipBatch(
      [
        `link add name ${host} mtu ${HOST_END_MTU} ${master} ${type} ${peer}`,
        `link set dev ${host} addrgenmode none up`,
      ],
      { doing: `create interface ${ifname} in ${netns ?? 'the namespace of the host'}` },
    );
  try {
    await add(`master ${HEADROOM_BRIDGE}`);
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error;
    if (error.line !== 1) await deleteVeth(host);
    // A bridge takes 1023 ports. The rest works without the headroom, only slower.
    if (error.stderr.includes('Exchange full')) return add('');
    throw error.stderr.includes('File exists') ? await taken(spec, error) : error;
  }
}

/** The kernel says "File exists" for either end. */
async function taken(spec: Pair, cause: CommandFailed): Promise<PlaitError> {
  const hosts = await listVeths();
  const here = hosts.some((host) => host.ifname === spec.hostIfname);
  const what = here
    ? `interface ${spec.hostIfname}: exists already on this host`
    : `interface ${spec.ifname} in ${spec.netns ?? 'the namespace of the host'}: the name is taken there`;
  return new PlaitError('INTERFACE_EXISTS', `create ${what}`, {
    hint: here ? undefined : 'choose another with --ifname',
    cause,
  });
}

interface Inside {
  /** IP versions that have a default route already. */
  readonly defaults: ReadonlySet<4 | 6>;
  /** False where new interfaces have IPv6 switched off, as in Docker's containers. */
  readonly ipv6: boolean;
}

/** One shell and one `ip`: every process counts in the time of an attach. */
const LOOK_INSIDE =
  'ip -j route show table all; read off < /proc/sys/net/ipv6/conf/default/disable_ipv6; echo "$off"';

async function lookInside(netns: string): Promise<Inside> {
  const doing = `list routes of ${netns}`;
  const output = await run('sh', ['-c', LOOK_INSIDE], { doing, netns });
  const [routes = '[]', disabled] = output.trim().split('\n');
  const defaults = (JSON.parse(routes || '[]') as RouteInfo[])
    .filter((route) => route.dst === 'default' && (route.type ?? 'unicast') === 'unicast')
    .map((route) => (route.pref === undefined ? 4 : 6));
  return { defaults: new Set(defaults), ipv6: disabled === '0' };
}

/** Written for this interface alone, and only when it gets an IPv6 address of its network. */
const ENABLE_IPV6 = 'echo 0 > /proc/sys/net/ipv6/conf/"$1"/disable_ipv6; exec ip -batch -';

async function configureInside(spec: VethSpec, inside: Inside): Promise<void> {
  const { ifname, netns, addresses } = spec;
  const doing = `set up interface ${ifname} in ${netns}`;
  const wantsIpv6 = addresses.some((address) => address.includes(':'));
  const ipv6 = inside.ipv6 || wantsIpv6;
  const stdin = `${insideLines(spec, inside.defaults, ipv6).join('\n')}\n`;
  if (inside.ipv6 || !wantsIpv6) await run('ip', ['-batch', '-'], { doing, netns, stdin });
  else await run('sh', ['-c', ENABLE_IPV6, 'sh', ifname], { doing, netns, stdin });
}

/**
 * No duplicate address detection: the cluster's state already guarantees that addresses are unique, and detection
 * would make every IPv6 address unusable for its first second or two.
 */
function insideLines(spec: VethSpec, defaults: ReadonlySet<4 | 6>, ipv6: boolean): string[] {
  const { ifname, addresses, linkLocal, gateways } = spec;
  const lines = ['link set dev lo up', `link set dev ${ifname} addrgenmode none`];
  for (const address of addresses) {
    lines.push(`address add ${address} dev ${ifname}${address.includes(':') ? ' nodad' : ''}`);
  }
  if (linkLocal && ipv6) lines.push(`address add ${linkLocal}/64 dev ${ifname} scope link nodad`);
  lines.push(`link set dev ${ifname} up`);
  for (const gateway of gateways) {
    if (!defaults.has(gateway.includes(':') ? 6 : 4)) {
      lines.push(`route add default via ${gateway} dev ${ifname}`);
    }
  }
  return lines;
}
