/**
 * IP addresses, prefixes and MACs: text at the edges, numbers inside. ipaddr.js does the syntax; here are the
 * arithmetic, the sanity of our own uses, and the form of addresses in the maps (struct addr of
 * bpf/lib/types.h: IPv6, or IPv4 as ::ffff:a.b.c.d, as four words that the codec writes in network byte order).
 */
import { createHash, randomBytes } from 'node:crypto';
import ipaddr from 'ipaddr.js';
import { InvalidInput } from './errors.js';

export type IpVersion = 4 | 6;

export interface Ip {
  readonly version: IpVersion;
  readonly value: bigint;
}

/** A prefix. `base` has no host bits. */
export interface Cidr {
  readonly version: IpVersion;
  readonly base: bigint;
  readonly prefix: number;
}

/** struct addr as the generated codec has it: w[0] are the first four bytes of the address. */
export interface Addr {
  w: number[];
}

export const NO_ADDR: Addr = { w: [0, 0, 0, 0] };

/** gateway_mac of bpf/lib/ethernet.h. */
export const GATEWAY_MAC = '02:50:4c:41:49:54';

const WORD = 0xffffffffn;
const V4_MAPPED = 0xffff;

export function bits(version: IpVersion): number {
  return version === 4 ? 32 : 128;
}

/** Parses one address, without a prefix or a zone. IPv4 in IPv6 notation is refused: write it as IPv4. */
export function parseIp(text: string): Ip {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return fromBytes(4, ipaddr.IPv4.parse(text).toByteArray());
  if (!text.includes(':') || text.includes('%') || !ipaddr.IPv6.isValid(text)) {
    throw new InvalidInput(`parse address ${JSON.stringify(text)}: not an IPv4 or IPv6 address`);
  }
  const parsed = ipaddr.IPv6.parse(text);
  if (parsed.isIPv4MappedAddress()) {
    throw new InvalidInput(
      `parse address ${text}: is IPv4, write it as ${parsed.toIPv4Address().toString()}`,
    );
  }
  return fromBytes(6, parsed.toByteArray());
}

function fromBytes(version: IpVersion, bytes: readonly number[]): Ip {
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return { version, value };
}

/** The one way an address is written in records and keys: dotted quad, or RFC 5952. */
export function formatIp(ip: Ip): string {
  const bytes: number[] = [];
  for (let shift = bits(ip.version) - 8; shift >= 0; shift -= 8) {
    bytes.push(Number((ip.value >> BigInt(shift)) & 0xffn));
  }
  return ip.version === 4 ? bytes.join('.') : new ipaddr.IPv6(bytes).toRFC5952String();
}

/** Nearly every address there is, and already as it should be. */
const CANONICAL_IP4 = /^(?:(?:25[0-5]|2[0-4]\d|1?[1-9]?\d|10\d)(?:\.(?!$)|$)){4}$/;

/** `formatIp(parseIp(text))`. */
export function canonicalIp(text: string): string {
  if (CANONICAL_IP4.test(text)) return text;
  return formatIp(parseIp(text));
}

/** Underlay addresses that mean something else than one host out there. */
const NO_VTEP = (
  [
    ['0.0.0.0/8', '"this network"'],
    ['127.0.0.0/8', 'loopback'],
    ['224.0.0.0/4', 'multicast'],
    ['240.0.0.0/4', 'reserved'],
    ['::/127', 'unspecified or loopback'],
    ['fe80::/10', 'link-local, which needs a device'],
    ['ff00::/8', 'multicast'],
  ] as const
).map(([prefix, use]) => ({ cidr: parseCidr(prefix), use }));

/** In canonical text, after checking that one host can have it. */
export function vtepAddress(text: string): string {
  const ip = parseIp(text);
  const other = NO_VTEP.find(({ cidr }) => contains(cidr, ip));
  if (other) throw new InvalidInput(`use vtep ${text}: it is ${other.use}`);
  return formatIp(ip);
}

/** Parses `address/prefix`; host bits are an error that names the prefix that was meant. */
export function parseCidr(text: string): Cidr {
  const match = /^([^/]+)\/(\d{1,3})$/.exec(text);
  if (!match?.[1] || !match[2]) {
    throw new InvalidInput(`parse subnet ${JSON.stringify(text)}: not address/prefix-length`);
  }
  const ip = parseIp(match[1]);
  const prefix = Number(match[2]);
  if (prefix > bits(ip.version)) {
    throw new InvalidInput(`parse subnet ${text}: prefix length is over ${bits(ip.version)}`);
  }
  const cidr = cidrOf(ip, prefix);
  if (cidr.base !== ip.value) {
    throw new InvalidInput(`parse subnet ${text}: host bits are set`, `${formatCidr(cidr)} is the subnet`);
  }
  return cidr;
}

/** The prefix of that length that holds the address. */
export function cidrOf(ip: Ip, prefix: number): Cidr {
  const host = BigInt(bits(ip.version) - prefix);
  return { version: ip.version, base: (ip.value >> host) << host, prefix };
}

export function formatCidr(cidr: Cidr): string {
  return `${formatIp({ version: cidr.version, value: cidr.base })}/${cidr.prefix}`;
}

/** The last address of the prefix. */
export function lastOf(cidr: Cidr): bigint {
  return cidr.base + sizeOf(cidr) - 1n;
}

/** How many addresses the prefix has. */
export function sizeOf(cidr: Cidr): bigint {
  return 1n << BigInt(bits(cidr.version) - cidr.prefix);
}

export function contains(cidr: Cidr, ip: Ip): boolean {
  return cidr.version === ip.version && ip.value >= cidr.base && ip.value <= lastOf(cidr);
}

/** Two prefixes overlap exactly if one holds the other's first address. */
export function overlaps(a: Cidr, b: Cidr): boolean {
  if (a.version !== b.version) return false;
  return a.prefix <= b.prefix
    ? contains(a, { version: b.version, value: b.base })
    : contains(b, { version: a.version, value: a.base });
}

/** True if `inner` lies wholly in `outer`. */
export function within(inner: Cidr, outer: Cidr): boolean {
  return outer.prefix <= inner.prefix && overlaps(inner, outer);
}

export function toAddr(ip: Ip): Addr {
  if (ip.version === 4) return { w: [0, 0, V4_MAPPED, Number(ip.value)] };
  return { w: [96n, 64n, 32n, 0n].map((shift) => Number((ip.value >> shift) & WORD)) };
}

/** Undoes `toAddr`; the all-zero address is `undefined`, as in the maps ("none"). */
export function fromAddr(addr: Addr): Ip | undefined {
  const [a = 0, b = 0, c = 0, d = 0] = addr.w;
  if (a === 0 && b === 0 && c === V4_MAPPED) return { version: 4, value: BigInt(d) };
  const value = (BigInt(a) << 96n) | (BigInt(b) << 64n) | (BigInt(c) << 32n) | BigInt(d);
  return value === 0n ? undefined : { version: 6, value };
}

/** Text of an address in a map; empty for "none". */
export function formatAddr(addr: Addr): string {
  const ip = fromAddr(addr);
  return ip === undefined ? '' : formatIp(ip);
}

/** Bytes of `aa:bb:cc:dd:ee:ff` (either case). */
export function parseMac(text: string): Uint8Array {
  if (!/^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/i.test(text)) {
    throw new InvalidInput(`parse mac ${JSON.stringify(text)}: not six hexadecimal pairs with colons`);
  }
  const mac = new Uint8Array(6);
  for (let i = 0; i < 6; i++) mac[i] = Number.parseInt(text.slice(i * 3, i * 3 + 2), 16);
  return mac;
}

export function formatMac(mac: Uint8Array): string {
  return Array.from(mac, (byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/** Lower case, after checking that a container may have it: unicast, not zero, not the gateway's. */
export function containerMac(text: string): string {
  const bytes = parseMac(text);
  const mac = formatMac(bytes);
  if (((bytes[0] ?? 0) & 1) === 1) throw new InvalidInput(`use mac ${mac}: it is a group address`);
  if (bytes.every((byte) => byte === 0)) throw new InvalidInput(`use mac ${mac}: all zero`);
  if (mac === GATEWAY_MAC) throw new InvalidInput(`use mac ${mac}: it is the gateway's`);
  return mac;
}

/**
 * A random, locally administered, unicast MAC. It does not derive from the address on purpose: when an address
 * is used again, stale neighbour entries must not point to the new owner.
 */
export function randomMac(): string {
  const bytes = randomBytes(6);
  bytes[0] = ((bytes[0] ?? 0) & 0xfc) | 0x02;
  const mac = formatMac(bytes);
  return mac === GATEWAY_MAC ? randomMac() : mac;
}

/**
 * The MAC of an address of a network, where the same address is to have the same one again: Docker gives a container's
 * address to the next one at once, and whoever remembers the MAC would talk to nobody.
 */
export function macOfAddress(network: string, address: string): string {
  const bytes = createHash('sha256').update(`${network} ${address}`).digest().subarray(0, 6);
  bytes[0] = ((bytes[0] ?? 0) & 0xfc) | 0x02;
  const mac = formatMac(bytes);
  return mac === GATEWAY_MAC ? macOfAddress(network, `${address}'`) : mac;
}

/** The link-local address that a kernel makes of a MAC (RFC 4291, appendix A: modified EUI-64). */
export function linkLocal(mac: string): Ip {
  const { w } = linkLocalAddr(parseMac(mac));
  return { version: 6, value: w.reduce((value, word) => (value << 32n) | BigInt(word), 0n) };
}

/** The same in the form of the maps. */
export function linkLocalAddr(mac: Uint8Array): Addr {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = mac;
  const high = (((a ^ 0x02) << 24) | (b << 16) | (c << 8) | 0xff) >>> 0;
  const low = ((0xfe << 24) | (d << 16) | (e << 8) | f) >>> 0;
  return { w: [0xfe800000, 0, high, low] };
}

/** A random /64 under fd00::/8 (RFC 4193 section 3.2.1: 40 random bits; our subnet id is random too). */
export function randomUla(): Cidr {
  const bytes = [0xfd, ...randomBytes(7), 0, 0, 0, 0, 0, 0, 0, 0];
  return cidrOf(fromBytes(6, bytes), 64);
}
