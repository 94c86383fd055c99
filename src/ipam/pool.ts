/**
 * Which address comes next. Deterministic: the lowest free one, so that people find what they expect. What is
 * free is known from a list that may be old; the transaction that takes the address decides, and after a
 * conflict the next one is tried.
 */
import {
  bits,
  type Cidr,
  cidrOf,
  contains,
  formatCidr,
  formatIp,
  type Ip,
  lastOf,
  parseCidr,
  parseIp,
} from '../model/addresses.js';
import { InvalidInput } from '../model/errors.js';
import type { NetworkSubnet } from '../model/records.js';

/** Addresses of the subnet that no endpoint may have, and what they are. */
function reservedOf(subnet: Cidr, gateway: string | null): Map<bigint, string> {
  const reserved = new Map<bigint, string>();
  const hostBits = bits(subnet.version) - subnet.prefix;
  if (subnet.version === 4 && hostBits >= 2) {
    reserved.set(subnet.base, 'the network address');
    reserved.set(lastOf(subnet), 'the broadcast address');
  }
  // RFC 4291 section 2.6.1; not on point-to-point links, RFC 6164.
  if (subnet.version === 6 && hostBits >= 2) reserved.set(subnet.base, 'the subnet-router anycast address');
  if (gateway !== null) reserved.set(parseIp(gateway).value, 'the gateway');
  return reserved;
}

/** Throws InvalidInput if an endpoint may not have the address in this subnet. */
export function checkAddress(subnet: NetworkSubnet, ip: Ip): void {
  const use = reservedOf(parseCidr(subnet.subnet), subnet.gateway).get(ip.value);
  if (use !== undefined)
    throw new InvalidInput(`use address ${formatIp(ip)}: it is ${use} of ${subnet.subnet}`);
}

/** The subnet's first address that an endpoint could have: its default gateway. */
export function firstAddress(subnet: Cidr): string {
  const pool = new AddressPool({ subnet: formatCidr(subnet), gateway: null });
  const first = pool.take(new Set());
  if (first === undefined) throw new InvalidInput(`use subnet ${formatCidr(subnet)}: no room for a host`);
  return first;
}

/** Hands out the addresses of a subnet's range from the lowest up, each at most once. */
export class AddressPool {
  readonly range: Cidr;
  readonly #reserved: Map<bigint, string>;
  #next: bigint;

  constructor(subnet: Pick<NetworkSubnet, 'subnet' | 'gateway' | 'range'>) {
    const whole = parseCidr(subnet.subnet);
    this.range = subnet.range === undefined ? whole : parseCidr(subnet.range);
    this.#reserved = reservedOf(whole, subnet.gateway);
    this.#next = this.range.base;
  }

  /** The next address that is not taken; undefined when there is none left. */
  take(taken: ReadonlySet<string>): string | undefined {
    const { version } = this.range;
    const last = lastOf(this.range);
    while (this.#next <= last) {
      const value = this.#next++;
      if (this.#reserved.has(value)) continue;
      const address = formatIp({ version, value });
      if (!taken.has(address)) return address;
    }
    return undefined;
  }

  /** How many of the taken addresses lie in the range. */
  used(taken: Iterable<string>): number {
    let used = 0;
    for (const address of taken) if (contains(this.range, parseIp(address))) used += 1;
    return used;
  }
}

/** Candidates for a subnet that nobody named: every /`prefix` of the pool from the lowest up. */
export function* subnetsOf(pool: Cidr, prefix: number): Generator<Cidr> {
  const step = 1n << BigInt(bits(pool.version) - prefix);
  for (let value = pool.base; value <= lastOf(pool); value += step) {
    yield cidrOf({ version: pool.version, value }, prefix);
  }
}
