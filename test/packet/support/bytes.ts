/* Bytes: reading and writing addresses, and the internet checksum. */
import ipaddr from 'ipaddr.js';

export const hex = (text: string): Buffer => Buffer.from(text.replace(/[^0-9a-f]/gi, ''), 'hex');
export const mac = (text: string): Buffer => hex(text);
export const ip = (text: string): Buffer => Buffer.from(ipaddr.parse(text).toByteArray());

export const be16 = (value: number): Buffer => hex((value & 0xffff).toString(16).padStart(4, '0'));
export const be32 = (value: number): Buffer => hex((value >>> 0).toString(16).padStart(8, '0'));

/** A copy with `bytes` written at `offset`. */
export function patch(frame: Uint8Array, offset: number, bytes: Uint8Array | readonly number[]): Buffer {
  const copy = Buffer.from(frame);
  copy.set(bytes, offset);
  return copy;
}

/** RFC 1071, of the parts one after the other; each but the last has an even length. */
export function checksum(...parts: Uint8Array[]): number {
  const all = Buffer.concat(parts);
  let sum = 0;
  for (let i = 0; i < all.length; i += 2) sum += ((all[i] ?? 0) << 8) | (all[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
