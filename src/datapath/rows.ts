/*
 * Map rows as people read them: addresses, MACs, device names and flags instead of bytes and numbers. Pure; what
 * only the running datapath knows (which name an ifindex has, which address a VTEP index) comes in as `Names`.
 */
import { formatAddr, formatIp, formatMac, fromAddr } from '../model/addresses.js';
import type {
  Addr,
  Endpoint,
  FdbEntry,
  FdbKey,
  FloodMember,
  Neighbor,
  NeighborKey,
  Network,
  Sender,
  SenderKey,
  Subnet,
  SubnetKey,
  UnderlayDevice,
  Vtep,
} from './types.gen.js';
import { EndpointFlags, VtepFlags } from './types.gen.js';

export type Row = Record<string, unknown>;

export interface Names {
  /** Name of a device, null when it is not known. */
  device(ifindex: number): string | null;
  /** Address of a VTEP index, null when it is free. */
  vtep(index: number): string | null;
}

/** For differences, where numbers are enough. */
export const NO_NAMES: Names = { device: () => null, vtep: () => null };

export interface RowShape<K, V> {
  key(key: K, names: Names): Row;
  value(value: V, names: Names): Row;
}

const vniKey = (vni: number): Row => ({ vni });
const addressKey = ({ vni, addr }: NeighborKey | SenderKey): Row => ({ vni, ip: formatAddr(addr) });

export const fdbShape: RowShape<FdbKey, FdbEntry> = {
  key: ({ vni, mac }) => ({ vni, mac: formatMac(mac) }),
  value: placeRow,
};

export const neighborShape: RowShape<NeighborKey, Neighbor> = {
  key: addressKey,
  value: ({ mac }) => ({ mac: formatMac(mac) }),
};

export const senderShape: RowShape<SenderKey, Sender> = {
  key: addressKey,
  value: ({ vtep }) => ({ vtepIndex: vtep }),
};

export const networkShape: RowShape<number, Network> = {
  key: vniKey,
  value: ({ flags, mtu, gateway4, gateway6 }) => ({
    mtu,
    internal: (flags & EndpointFlags.INTERNAL) !== 0,
    gateway4: textOrNull(gateway4),
    gateway6: textOrNull(gateway6),
  }),
};

export const subnetShape: RowShape<SubnetKey, Subnet> = {
  key: ({ prefixLen, addr }) => ({ subnet: subnetText(prefixLen, addr) }),
  value: ({ vni }) => ({ vni }),
};

export const endpointShape: RowShape<number, Endpoint> = {
  key: (ifindex, names) => ({ ifindex, ifname: names.device(ifindex) }),
  value: ({ vni, slot, flags, mtu, mac, ip4, ip6, linkLocal }) => ({
    vni,
    mac: formatMac(mac),
    ip4: ip4 === 0 ? null : formatIp({ version: 4, value: BigInt(ip4) }),
    ip6: textOrNull(ip6),
    linkLocal: textOrNull(linkLocal),
    mtu,
    internal: (flags & EndpointFlags.INTERNAL) !== 0,
    takesXdp: (flags & EndpointFlags.TAKES_XDP) !== 0,
    slot,
  }),
};

export const floodShape: RowShape<number, FloodMember> = { key: vniKey, value: placeRow };

/** There is one. */
export const underlayDeviceShape: RowShape<number, UnderlayDevice> = {
  key: () => ({}),
  value: ({ mac }) => ({ mac: formatMac(mac) }),
};

export function vtepRow(index: number, vtep: Vtep, names: Names): Row {
  return {
    vtepIndex: index,
    vtep: formatAddr(vtep.remote),
    route: (vtep.flags & VtepFlags.VALID) !== 0,
    ifindex: vtep.ifindex,
    ifname: names.device(vtep.ifindex),
    mtu: vtep.mtu,
    local: textOrNull(vtep.local),
    nextHop: textOrNull(vtep.nextHop),
  };
}

/** `key value key value …` without what is not known. */
export function rowText(row: Row): string {
  return Object.entries(row)
    .filter(([, value]) => value !== null && value !== undefined)
    .map(([name, value]) => `${name} ${value}`)
    .join(' ');
}

/** Where a frame for a MAC goes: a device here, or a VTEP. */
function placeRow({ ifindex, slot }: FdbEntry | FloodMember, names: Names): Row {
  if (ifindex === 0) return { vtep: names.vtep(slot), vtepIndex: slot };
  return { ifindex, ifname: names.device(ifindex), slot };
}

function subnetText(prefixLen: number, addr: Addr): string {
  const ip = fromAddr(addr);
  if (ip === undefined) return `::/${prefixLen}`;
  return `${formatIp(ip)}/${ip.version === 4 ? prefixLen - 96 : prefixLen}`;
}

function textOrNull(addr: Addr): string | null {
  return formatAddr(addr) || null;
}
