// kernels: one
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  array,
  be16,
  be32,
  be64,
  bool,
  bytes,
  type Codec,
  cstring,
  i8,
  i16,
  i32,
  i64,
  struct,
  u8,
  u16,
  u32,
  u64,
} from '../lib/index.js';
import { failsWith } from './support.js';

const test = suite('codec');

// The bytes are written by hand, for a little-endian host.
const rows: [name: string, codec: Codec<never>, value: unknown, hex: string][] = [
  ['u8', u8 as never, 0xfe, 'fe'],
  ['u16', u16 as never, 0x1234, '3412'],
  ['u32', u32 as never, 0xfedcba98, '98badcfe'],
  ['u64', u64 as never, 0xfedcba9876543210n, '1032547698badcfe'],
  ['i8', i8 as never, -2, 'fe'],
  ['i16', i16 as never, -2, 'feff'],
  ['i32', i32 as never, -2147483648, '00000080'],
  ['i64', i64 as never, -2n, 'feffffffffffffff'],
  ['be16', be16 as never, 0x1234, '1234'],
  ['be32', be32 as never, 0xc0a80001, 'c0a80001'],
  ['be64', be64 as never, 0x0102030405060708n, '0102030405060708'],
  ['bool', bool as never, true, '01'],
  ['bytes', bytes(3) as never, Uint8Array.of(1, 2, 3), '010203'],
  ['cstring', cstring(6) as never, 'äb', 'c3a462000000'],
  ['array', array(be16, 2) as never, [1, 2], '00010002'],
];
for (const [name, codec, value, hex] of rows) {
  test(`${name} is ${hex}`, () => {
    assert.is(Buffer.from(codec.encode(value as never)).toString('hex'), hex);
    assert.equal(codec.decode(Buffer.from(hex, 'hex')), value);
    assert.is(codec.size, hex.length / 2);
    const framed = codec.encode(value as never, new Uint8Array(codec.size + 4).fill(0xee), 2);
    assert.is(Buffer.from(framed).toString('hex'), `eeee${hex}eeee`);
    assert.equal(codec.decode(framed, 2), value);
  });
}

const refused: [name: string, codec: Codec<never>, value: unknown][] = [
  ['256 as u8', u8 as never, 256],
  ['-1 as u32', u32 as never, -1],
  ['1.5 as u16', u16 as never, 1.5],
  ['text as u32', u32 as never, '1'],
  ['a number as u64', u64 as never, 1],
  ['2^64 as u64', u64 as never, 1n << 64n],
  ['-2^63-1 as i64', i64 as never, -(1n << 63n) - 1n],
  ['128 as i8', i8 as never, 128],
  ['two bytes as three', bytes(3) as never, new Uint8Array(2)],
  ['an array as bytes', bytes(1) as never, [1]],
  ['text without room for its NUL', cstring(3) as never, 'abc'],
  ['three elements as two', array(u8, 2) as never, [1, 2, 3]],
];
for (const [name, codec, value] of refused) {
  test(`${name} is refused`, () => {
    failsWith('EINVAL', () => codec.encode(value as never));
  });
}

test('a struct writes zeroes between its fields, whatever was there', () => {
  const pair = struct<{ a: number; b: number }>(8, [
    ['a', 0, u8],
    ['b', 4, u32],
  ]);
  assert.is(
    Buffer.from(pair.encode({ a: 1, b: 2 }, new Uint8Array(8).fill(0xff))).toString('hex'),
    '0100000002000000',
  );
});

test('reading and writing past the end is refused', () => {
  failsWith('EINVAL', () => u32.decode(new Uint8Array(3)));
  failsWith('EINVAL', () => u32.decode(new Uint8Array(8), 5));
  failsWith('EINVAL', () => u32.decode(new Uint8Array(8), -1));
  failsWith('EINVAL', () => u32.encode(1, new Uint8Array(4), 1));
});

test('decoded bytes are a copy', () => {
  const source = Uint8Array.of(1, 2);
  const copy = bytes(2).decode(source);
  source[0] = 9;
  assert.equal(copy, Uint8Array.of(1, 2));
});

test.run();
