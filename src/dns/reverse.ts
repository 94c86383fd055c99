/* Reverse names: 2.0.10.10.in-addr.arpa ↔ 10.10.0.2 (RFC 1035 §3.5), and ip6.arpa with 32 nibbles (RFC 3596 §2.5). */
import { isIPv4 } from 'node:net';
import { canonicalIp } from '../model/addresses.js';

const V4_SUFFIX = '.in-addr.arpa';
const V6_SUFFIX = '.ip6.arpa';

/**
 * The address, in canonical text, that a reverse name is about; undefined for any other name and for one that names a whole zone.
 *
 * @param name in lower case
 */
export function addressOfReverseName(name: string): string | undefined {
  if (name.endsWith(V4_SUFFIX)) {
    const address = name.slice(0, -V4_SUFFIX.length).split('.').reverse().join('.');
    return isIPv4(address) ? address : undefined;
  }
  if (name.endsWith(V6_SUFFIX)) {
    const nibbles = name.slice(0, -V6_SUFFIX.length).split('.').reverse();
    if (nibbles.length !== 32 || !nibbles.every((nibble) => /^[0-9a-f]$/.test(nibble))) return undefined;
    const text = nibbles.join('').replace(/(.{4})(?!$)/g, '$1:');
    // Our networks hold no IPv4 in IPv6 notation, and canonicalIp refuses it.
    return text.startsWith('0000:0000:0000:0000:0000:ffff:') ? undefined : canonicalIp(text);
  }
  return undefined;
}
