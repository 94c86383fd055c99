/*
 * The three devices that a host has once, however many networks and containers it has.
 *
 * plaitvx   the kernel's vxlan device in collect-metadata mode: the slow path both ways, and the owner of the UDP port
 *           (which tells NICs and GRO what comes there).
 * plait0    the host's door to the networks: a veth whose other end, plait0p, runs from_host. No ARP: the datapath
 *           writes the MACs.
 * plaithr   a bridge that is never up, so its ports are disabled and it forwards nothing. It has the host ends and
 *           plaitvx as ports for one effect: a bridge raises its ports' needed headroom to that of the neediest, and a
 *           veth hands that to its peer. Packets then leave the container with room for the outer headers, and
 *           encapsulation does not copy them.
 */
import { GATEWAY_MAC } from '../model/addresses.js';
import { PlaitError } from '../model/errors.js';
import { ipBatch, ipQueries, ipQuery, type Link } from './ip.js';
import { CommandFailed } from './run.js';
import { portHolder } from './sockets.js';

export const VXLAN_DEVICE = 'plaitvx';
export const HOST_DEVICE = 'plait0';
/** The end of plait0's pair on which from_host runs. */
export const HOST_DEVICE_PEER = 'plait0p';
export const HEADROOM_BRIDGE = 'plaithr';

const KINDS = new Map([
  [VXLAN_DEVICE, 'vxlan'],
  [HOST_DEVICE, 'veth'],
  [HOST_DEVICE_PEER, 'veth'],
  [HEADROOM_BRIDGE, 'bridge'],
]);

/** Bigger than any inner packet: the datapath checks sizes, not this device. */
const VXLAN_MTU = 65_000;

export interface Devices {
  readonly vxlan: number;
  readonly host: number;
  readonly hostPeer: number;
}

/** Creates what is missing and mends what differs. Returns ifindexes. `mtu` is the biggest inner MTU, in bytes. */
export async function ensureDevices(port: number, mtu: number): Promise<Devices> {
  const present = await ownDevices();
  refuseForeign(present);
  await ensureVxlan(present.get(VXLAN_DEVICE), port);
  const lines: string[] = [];
  if (!present.has(HEADROOM_BRIDGE)) {
    lines.push(`link add name ${HEADROOM_BRIDGE} type bridge`);
    lines.push(`link set dev ${HEADROOM_BRIDGE} addrgenmode none`);
  }
  if (present.get(HEADROOM_BRIDGE)?.flags.includes('UP')) lines.push(`link set dev ${HEADROOM_BRIDGE} down`);
  lines.push(...hostDeviceLines(present, mtu));
  for (const name of [VXLAN_DEVICE, HOST_DEVICE_PEER]) {
    if (present.get(name)?.master !== HEADROOM_BRIDGE || !present.has(HOST_DEVICE))
      lines.push(`link set dev ${name} master ${HEADROOM_BRIDGE}`);
  }
  await ipBatch(lines, { doing: 'create the host devices' });
  return devices(await ownDevices());
}

/** Removes them, with every address and route on them. The host ends are not theirs and stay. */
export async function removeDevices(): Promise<void> {
  const present = await ownDevices();
  const lines = [VXLAN_DEVICE, HOST_DEVICE, HEADROOM_BRIDGE]
    .filter((name) => present.has(name))
    .map((name) => `link delete dev ${name}`);
  await ipBatch(lines, { doing: 'remove the host devices' });
}

/** What is missing or wrong with the devices, as [device, expected, actual]. */
export async function checkDevices(port: number): Promise<[string, string, string | null][]> {
  const present = await ownDevices();
  const faults: [string, string, string | null][] = [];
  for (const name of [VXLAN_DEVICE, HOST_DEVICE, HOST_DEVICE_PEER]) {
    const link = present.get(name);
    if (!link) faults.push([name, 'present', null]);
    else if (!link.flags.includes('UP')) faults.push([name, 'up', 'down']);
  }
  const bridge = present.get(HEADROOM_BRIDGE);
  if (!bridge) faults.push([HEADROOM_BRIDGE, 'present', null]);
  else if (bridge.flags.includes('UP')) faults.push([HEADROOM_BRIDGE, 'down', 'up']);
  const vxlan = present.get(VXLAN_DEVICE);
  const actual = vxlan && vxlanPort(vxlan);
  if (vxlan && actual !== port) faults.push([VXLAN_DEVICE, `port ${port}`, `port ${actual}`]);
  return faults;
}

/** Our devices are made anew where they differ too much: only what is ours may be. */
function refuseForeign(present: ReadonlyMap<string, Link>): void {
  for (const [name, kind] of KINDS) {
    const link = present.get(name);
    const actual = link?.linkinfo?.info_kind ?? 'of no kind';
    if (!link || actual === kind) continue;
    throw new PlaitError(
      'DEVICE_TAKEN',
      `create ${kind} device ${name}: another device (${actual}) has the name`,
      {
        hint: 'remove or rename it',
      },
    );
  }
}

/** A pair of which one end was moved or renamed is made anew. */
function hostDeviceLines(present: ReadonlyMap<string, Link>, mtu: number): string[] {
  const ends = [HOST_DEVICE, HOST_DEVICE_PEER].flatMap((name) => present.get(name) ?? []);
  const pair = `mtu ${mtu} address ${GATEWAY_MAC} type veth peer name ${HOST_DEVICE_PEER} mtu ${mtu}`;
  const lines: string[] = [];
  if (ends.length === 1) lines.push(`link delete dev ${ends[0]?.ifname}`);
  if (ends.length < 2) lines.push(`link add name ${HOST_DEVICE} ${pair}`);
  else for (const end of ends) if (end.mtu !== mtu) lines.push(`link set dev ${end.ifname} mtu ${mtu}`);
  lines.push(`link set dev ${HOST_DEVICE_PEER} addrgenmode none up`);
  lines.push(`link set dev ${HOST_DEVICE} addrgenmode none arp off up`);
  return lines;
}

/**
 * The device is made anew when it differs: the port of a vxlan device, for one, cannot be changed. Coming up is what
 * takes the port.
 */
async function ensureVxlan(present: Link | undefined, port: number): Promise<void> {
  const external = present?.linkinfo?.info_data?.external === true;
  if (present && external && vxlanPort(present) === port && present.flags.includes('UP')) return;
  const doing = `create the vxlan device on UDP port ${port}`;
  const lines = [
    `link add name ${VXLAN_DEVICE} type vxlan external dstport ${port} udp6zerocsumtx udp6zerocsumrx nolearning`,
    `link set dev ${VXLAN_DEVICE} addrgenmode none`,
    `link set dev ${VXLAN_DEVICE} mtu ${VXLAN_MTU} up`,
  ];
  if (present) lines.unshift(`link delete dev ${VXLAN_DEVICE}`);
  try {
    await ipBatch(lines, { doing });
  } catch (error) {
    const line = error instanceof CommandFailed ? (error.line ?? 0) - (present ? 1 : 0) : 0;
    if (line > 1) await ipBatch([`link delete dev ${VXLAN_DEVICE}`], { doing });
    throw (await portTaken(port, doing, error)) ?? error;
  }
}

async function portTaken(port: number, doing: string, cause: unknown): Promise<PlaitError | undefined> {
  const links = await vxlanLinks();
  const other = links.find((link) => link.ifname !== VXLAN_DEVICE && vxlanPort(link) === port);
  const holder = other ? `vxlan device ${other.ifname}` : await portHolder(port);
  if (!holder) return undefined;
  const hint = `remove it, or let every node use another port`;
  return new PlaitError('PORT_TAKEN', `${doing}: ${holder} has that port`, { hint, cause });
}

function vxlanLinks(): Promise<Link[]> {
  return ipQuery<Link>(['-d', 'link', 'show', 'type', 'vxlan'], { doing: 'list vxlan devices' });
}

function vxlanPort(link: Link): unknown {
  return link.linkinfo?.info_data?.port;
}

/** Asked for one by one: there may be thousands of host ends beside them. */
async function ownDevices(): Promise<Map<string, Link>> {
  const names = [VXLAN_DEVICE, HOST_DEVICE, HOST_DEVICE_PEER, HEADROOM_BRIDGE];
  const links = await ipQueries<Link>(
    names.map((name) => `link show dev ${name}`),
    { doing: 'list the host devices', details: true },
  );
  return new Map(links.map((link) => [link.ifname, link]));
}

function devices(present: ReadonlyMap<string, Link>): Devices {
  const ifindex = (name: string): number => {
    const link = present.get(name);
    if (!link) throw new PlaitError('INTERFACE_GONE', `find interface ${name}: it vanished`);
    return link.ifindex;
  };
  return { vxlan: ifindex(VXLAN_DEVICE), host: ifindex(HOST_DEVICE), hostPeer: ifindex(HOST_DEVICE_PEER) };
}
