/*
 * The nftables table `inet plait`. It is ours alone: every apply replaces it whole, in one transaction, and no rule
 * of anybody else is read or changed. (Another table's base chain may still drop what ours lets pass.)
 *
 *   nat_out     what leaves a network for the world outside gets the host's address
 *   forwarding  between two networks: dropped. From outside into a network: replies only
 *   vxlan_in    VXLAN for this node
 *   raw_*       VXLAN of the slow path stays out of connection tracking
 *
 * Other nodes believe VXLAN by its source address. So nobody but a node may send it: not a container, whose datagram
 * would leave with the node's address if it was masqueraded, and whose translated one is; and not whoever writes a
 * node's address on an interface that does not lead there, such as a bridge of another container runtime. Fragments
 * are whole here, because connection tracking has put them together.
 */
import { PlaitError } from '../model/errors.js';
import { HOST_DEVICE } from './devices.js';
import { CommandFailed, run } from './run.js';

export const TABLE = 'plait';

/** Subnets that have a way out, in CIDR form, and the VXLAN port. */
export interface FirewallSpec {
  readonly subnets: readonly string[];
  readonly port: number;
}

/** The whole table as text for `nft -f`. Pure. Deleting what may not exist takes declaring it first. */
export function renderFirewall({ subnets, port }: FirewallSpec): string {
  const v4 = subnets.filter((subnet) => !subnet.includes(':'));
  const v6 = subnets.filter((subnet) => subnet.includes(':'));
  return `table inet ${TABLE}
delete table inet ${TABLE}
table inet ${TABLE} {
  set subnets4 {
    type ipv4_addr
    flags interval
${elements(v4)}  }
  set subnets6 {
    type ipv6_addr
    flags interval
${elements(v6)}  }
  chain nat_out {
    type nat hook postrouting priority srcnat; policy accept;
    oifname != "${HOST_DEVICE}" ip saddr @subnets4 masquerade
    oifname != "${HOST_DEVICE}" ip6 saddr @subnets6 masquerade
  }
  chain forwarding {
    type filter hook forward priority filter; policy accept;
    iifname "${HOST_DEVICE}" udp dport ${port} counter drop
    iifname "${HOST_DEVICE}" oifname "${HOST_DEVICE}" drop
    oifname "${HOST_DEVICE}" ct state established,related accept
    oifname "${HOST_DEVICE}" drop
  }
  chain vxlan_in {
    type filter hook input priority filter; policy accept;
    iifname "${HOST_DEVICE}" udp dport ${port} counter drop
    udp dport ${port} fib saddr . iif oif missing counter drop
  }
  chain raw_in {
    type filter hook prerouting priority raw; policy accept;
    udp dport ${port} notrack
  }
  chain raw_out {
    type filter hook output priority raw; policy accept;
    udp dport ${port} notrack
  }
}
`;
}

export async function applyFirewall(spec: FirewallSpec): Promise<void> {
  await run('nft', ['-f', '-'], { doing: `write nftables table inet ${TABLE}`, stdin: renderFirewall(spec) });
}

/** False: there was none. */
export async function removeFirewall(): Promise<boolean> {
  try {
    await run('nft', ['delete', 'table', 'inet', TABLE], { doing: `delete nftables table inet ${TABLE}` });
    return true;
  } catch (error) {
    if (error instanceof CommandFailed && error.stderr.includes('No such file or directory')) return false;
    throw error;
  }
}

interface NftObject {
  readonly set?: { readonly name: string; readonly elem?: readonly NftElement[] };
  readonly rule?: { readonly chain: string };
}
type NftElement = string | { readonly prefix: { readonly addr: string; readonly len: number } };

/** The subnets in the table as the kernel has it; undefined when the table is missing or has lost rules. */
export async function installedSubnets(): Promise<string[] | undefined> {
  const output = await run('nft', ['-j', 'list', 'table', 'inet', TABLE], {
    doing: `list nftables table inet ${TABLE}`,
    partial: true,
  });
  if (output.trim() === '') return undefined;
  const { nftables } = JSON.parse(output) as { nftables?: readonly NftObject[] };
  if (!Array.isArray(nftables))
    throw new PlaitError('NFT_ANSWER', 'list nftables table: not the expected JSON');
  const objects: readonly NftObject[] = nftables;
  if (objects.filter(({ rule }) => rule).length !== RULES) return undefined;
  return objects.flatMap(({ set }) => (set?.elem ?? []).map(elementText));
}

const RULES = 10;

function elementText(element: NftElement): string {
  if (typeof element !== 'string') return `${element.prefix.addr}/${element.prefix.len}`;
  return element.includes(':') ? `${element}/128` : `${element}/32`;
}

function elements(subnets: readonly string[]): string {
  return subnets.length === 0 ? '' : `    elements = { ${subnets.join(', ')} }\n`;
}
