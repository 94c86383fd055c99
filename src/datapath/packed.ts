/* Encoded values as one-byte (latin1) strings: small, immutable, and compared by value. */
import type { Codec } from 'libbpf-ts-bindings';

export class Packed<T> {
  readonly #codec: Codec<T>;
  readonly #scratch: Buffer;

  constructor(codec: Codec<T>) {
    this.#codec = codec;
    this.#scratch = Buffer.alloc(codec.size);
  }

  /** Padding, which the codec leaves alone, is zero: the kernel compares keys byte by byte. */
  pack(value: T): string {
    this.#scratch.fill(0);
    this.#codec.encode(value, this.#scratch, 0);
    return this.#scratch.toString('latin1');
  }

  unpack(packed: string): T {
    return this.#codec.decode(Buffer.from(packed, 'latin1'), 0);
  }

  /** The value at an index of an array of them, as the kernel wrote it. */
  at(array: Buffer, index: number): string {
    const { size } = this.#codec;
    return array.toString('latin1', index * size, (index + 1) * size);
  }
}
