/* What iproute2 knows of a device that XDP depends on, and which programs are there. */
import { PlaitError } from '../model/errors.js';
import { ipQuery } from './ip.js';

export interface XdpProgram {
  readonly mode: 'native' | 'generic' | 'offload';
  readonly id: number;
}

export interface XdpDevice {
  readonly device: string;
  /** None: the device has no Ethernet headers. */
  readonly mac: string | undefined;
  /** "veth", "bond", "vlan" …; undefined for hardware. */
  readonly kind: string | undefined;
  /** "pci", "virtio" …; undefined for what is no device of a bus. */
  readonly bus: string | undefined;
  readonly mtu: number;
  readonly programs: readonly XdpProgram[];
}

interface XdpEntry {
  readonly mode: number;
  readonly prog?: { readonly id: number };
}

interface XdpLink {
  readonly ifname: string;
  /** "ether", "none" … */
  readonly link_type: string;
  readonly address?: string;
  readonly mtu: number;
  readonly parentbus?: string;
  readonly linkinfo?: { readonly info_kind?: string };
  readonly xdp?: XdpEntry & { readonly attached?: readonly XdpEntry[] };
}

/** XDP_ATTACHED_* of linux/if_link.h; 4, XDP_ATTACHED_MULTI, means that there are several. */
const MODES = new Map<number, XdpProgram['mode']>([
  [1, 'native'],
  [2, 'generic'],
  [3, 'offload'],
]);

export async function xdpDevice(device: string): Promise<XdpDevice> {
  const doing = `look at device ${device}`;
  const [link] = await ipQuery<XdpLink>(['-d', 'link', 'show', 'dev', device], { doing });
  if (!link) throw new PlaitError('INTERFACE_GONE', `${doing}: it vanished`);
  return readXdpDevice(link);
}

export function readXdpDevice(link: XdpLink): XdpDevice {
  const { xdp } = link;
  const entries = xdp?.attached ?? (xdp ? [xdp] : []);
  return {
    device: link.ifname,
    mac: link.link_type === 'ether' ? link.address : undefined,
    kind: link.linkinfo?.info_kind,
    bus: link.parentbus,
    mtu: link.mtu,
    programs: entries.flatMap(({ mode, prog }) => {
      const name = MODES.get(mode);
      return name && prog ? [{ mode: name, id: prog.id }] : [];
    }),
  };
}
