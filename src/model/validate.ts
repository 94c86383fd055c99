/** Rules for what people type. Each function returns its argument, or throws InvalidInput that says what is wrong. */
import { type Cidr, formatCidr, overlaps, parseCidr } from './addresses.js';
import { InvalidInput } from './errors.js';

/** Lower ones are for who names them. */
export const VNI_FIRST = 4096;
export const VNI_LAST = 2 ** 24 - 1;

export const MTU_MIN = 576;
/** RFC 8200 section 5. */
export const MTU_MIN_IPV6 = 1280;
/** 65535 less the 50 bytes that VXLAN adds. */
export const MTU_MAX = 65485;

const SUBNET_PREFIX = { 4: { min: 8, max: 30 }, 6: { min: 48, max: 126 } } as const;

const NETWORK_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$/;
/** As RFC 1035 section 2.3.1, and inner underscores, which container names often have. */
const DNS_LABEL = /^[a-zA-Z0-9](?:[a-zA-Z0-9_-]{0,61}[a-zA-Z0-9])?$/;
const DNS_NAME_MAX = 253;
const LABEL_MAX = 4096;

/** Prefixes that mean something else than "some host out there" (RFC 6890), for which no container may stand. */
const RESERVED = (
  [
    ['0.0.0.0/8', '"this network"'],
    ['127.0.0.0/8', 'loopback'],
    ['169.254.0.0/16', 'link-local'],
    ['224.0.0.0/4', 'multicast'],
    ['240.0.0.0/4', 'reserved'],
    ['::/16', 'reserved'],
    ['fe80::/10', 'link-local'],
    ['ff00::/8', 'multicast'],
  ] as const
).map(([prefix, use]) => ({ cidr: parseCidr(prefix), use }));

export function validateNetworkName(name: string): string {
  if (NETWORK_NAME.test(name)) return name;
  throw new InvalidInput(
    `use network name ${JSON.stringify(name)}: not [a-zA-Z0-9][a-zA-Z0-9_.-]*, at most 63 characters`,
  );
}

/** For names and aliases of endpoints, which DNS serves. */
export function validateEndpointName(name: string): string {
  const isName = name.length <= DNS_NAME_MAX && name.split('.').every((label) => DNS_LABEL.test(label));
  if (isName) return name;
  throw new InvalidInput(
    `use endpoint name ${JSON.stringify(name)}: not a DNS name (labels of letters, digits, inner - and _)`,
  );
}

/** A subnet for containers. */
export function validateSubnet(text: string): Cidr {
  const cidr = parseCidr(text);
  const reserved = RESERVED.find((entry) => overlaps(entry.cidr, cidr));
  if (reserved) {
    throw new InvalidInput(`use subnet ${text}: ${formatCidr(reserved.cidr)} is ${reserved.use}`);
  }
  const { min, max } = SUBNET_PREFIX[cidr.version];
  if (cidr.prefix < min || cidr.prefix > max) {
    throw new InvalidInput(`use subnet ${text}: prefix length is not within ${min}–${max}`);
  }
  return cidr;
}

export function validateMtu(mtu: number, hasIpv6: boolean): number {
  const min = hasIpv6 ? MTU_MIN_IPV6 : MTU_MIN;
  if (Number.isInteger(mtu) && mtu >= min && mtu <= MTU_MAX) return mtu;
  throw new InvalidInput(`use mtu ${mtu}: not within ${min}–${MTU_MAX}${hasIpv6 ? ' (IPv6)' : ''}`);
}

export function validateVni(vni: number): number {
  if (Number.isInteger(vni) && vni >= 1 && vni <= VNI_LAST) return vni;
  throw new InvalidInput(`use vni ${vni}: not within 1–${VNI_LAST}`);
}

/** Labels and options. `what` is the noun of the message. */
export function validateLabels(
  labels: Readonly<Record<string, string>>,
  what: 'label' | 'option' = 'label',
): Record<string, string> {
  for (const [key, value] of Object.entries(labels)) {
    if (!/^[^\s=]+$/.test(key)) {
      throw new InvalidInput(`use ${what} ${JSON.stringify(key)}: key is empty or has = or blanks in it`);
    }
    if (key.length + value.length > LABEL_MAX) {
      throw new InvalidInput(`use ${what} ${key}: longer than ${LABEL_MAX} characters`);
    }
  }
  return { ...labels };
}
