/** Numbers as `[0-9a-z]`, of a fixed length: what a person copies with one double click, and no shell reads otherwise. */

/**
 * @param bytes an unsigned number, big-endian
 * @param length of the result, padded with zeros on the left; 36^length must be above every number of so many bytes
 */
export function toBase36(bytes: Uint8Array, length: number): string {
  const digits = BigInt(`0x${Buffer.from(bytes).toString('hex') || '0'}`).toString(36);
  if (digits.length > length) throw new RangeError(`${bytes.length} bytes do not fit ${length} digits`);
  return digits.padStart(length, '0');
}
