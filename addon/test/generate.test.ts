// kernels: one
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { enumSource } from '../lib/generate-enum.js';
import { Btf, generateTypes, openObject } from '../lib/index.js';
import { Color, type Flow, flowCodec, flowKeyCodec } from './fixtures/basic.gen.js';
import { bpftool, Cleanup, compile, failsWith, run, temporaryDirectory } from './support.js';

const cleanup = new Cleanup();
const test = suite('generate');
const generator = fileURLToPath(new URL('../bin/gen.js', import.meta.url));
const fixture = fileURLToPath(new URL('../../test/fixtures/basic.gen.ts', import.meta.url));
let basic: string;

test.before(() => {
  basic = compile(cleanup, 'basic');
});
test.after(() => cleanup.run());

test('the generated source is the one that was read by a human', () => {
  assert.fixture(generateTypes(basic), readFileSync(fixture, 'utf8'));
});

test('linking the object does not change what is generated', () => {
  const linked = join(temporaryDirectory(cleanup), 'basic.bpf.o');
  run('bpftool', 'gen', 'object', linked, basic);
  assert.fixture(generateTypes(linked), readFileSync(fixture, 'utf8'));
});

test('types can be asked for by name', () => {
  failsWith('ENOENT', () => generateTypes(basic, { types: ['struct nowhere'] }));
  const text = generateTypes(basic, { types: ['struct address'], module: './codecs.js' });
  assert.match(text, /from '\.\/codecs\.js'/);
});

test('generated codecs and those made at run time agree with what bpftool makes of the map', async () => {
  const object = openObject(basic);
  await object.load();
  const flows = object.map('flows').typed(flowKeyCodec, flowCodec);
  const key = {
    id: 7,
    mac: Uint8Array.of(2, 3, 4, 5, 6, 7),
    sourceAddress: { w: [0, 0, 0xffff, 0x0a000001] },
    port: 4789,
  };
  const value: Flow = {
    rxPackets: 1n << 40n,
    balance: -5,
    ip4: 0x0a000002,
    label: 'web',
    isOpen: true,
    color: Color.BLUE,
  };
  flows.set(key, value);
  const { btf } = object;
  const again = object.map('flows').typed(btf.codecFor('struct flow_key'), btf.codecFor('struct flow'));
  assert.equal([...again], [[key, value]]);
  assert.equal([...flows], [[key, value]]);

  const [row] = bpftool('map', 'dump', 'id', String(object.map('flows').id)) as {
    formatted: { key: Record<string, unknown>; value: Record<string, unknown> };
  }[];
  const swap32 = (n: number) => Buffer.from(Uint32Array.of(n).buffer).swap32().readUInt32LE();
  assert.equal(row?.formatted.key, {
    id: 7,
    mac: [2, 3, 4, 5, 6, 7],
    pad: 0,
    source_address: { w: key.sourceAddress.w.map(swap32) },
    port: ((4789 & 0xff) << 8) | (4789 >> 8),
    pad2: 0,
  });
  const counted = { rx_packets: 2 ** 40, balance: -5, ip4: swap32(0x0a000002), label: 'web', is_open: true };
  assert.equal(row?.formatted.value, { ...counted, pad: [0, 0, 0], color: 'COLOR_BLUE' });
  object.close();
});

const enums: [about: string, name: string, values: [string, bigint][], expected: RegExp][] = [
  [
    'a single name loses what it shares with its enum',
    'link_flags',
    [['LINK_UP', 1n]],
    /LinkFlags = \{\n {2}UP: 1,/,
  ],
  [
    'names without a shared word stay whole',
    'mix',
    [
      ['ONE', 1n],
      ['TWO', 2n],
    ],
    /Mix = \{\n {2}ONE: 1,\n {2}TWO: 2,/,
  ],
  [
    'a plural at the end is a count',
    'hit',
    [
      ['HIT_A', 0n],
      ['HIT_B', 1n],
      ['HITS', 2n],
    ],
    /hitCount = 2;/,
  ],
  [
    'a plural that counts nothing is a value',
    'hit',
    [
      ['HIT_A', 0n],
      ['HITS', 7n],
    ],
    /HITS: 7,/,
  ],
  [
    'a name that would begin with a digit is quoted',
    'rate',
    [
      ['RATE_10G', 0n],
      ['RATE_40G', 1n],
    ],
    /'40G': 1,/,
  ],
  [
    'negative values stay',
    'sign',
    [
      ['SIGN_MINUS', -1n],
      ['SIGN_PLUS', 1n],
    ],
    /MINUS: -1,/,
  ],
];
for (const [about, name, values, expected] of enums) {
  test(`of an enum, ${about}`, () => {
    const pairs = values.map(([label, value]) => ({ name: label, value }));
    assert.match(enumSource({ kind: 'enum', name, size: 4, signed: true, values: pairs }), expected);
  });
}

test('enums of 64 bits become bigints', () => {
  const values = [{ name: 'WIDE_A', value: 1n << 40n }];
  assert.match(
    enumSource({ kind: 'enum', name: 'wide', size: 8, signed: false, values }),
    /A: 1099511627776n,/,
  );
});

test('types are found by their C names', () => {
  const btf = Btf.fromObject(basic);
  assert.is(btf.codecFor('struct flow').size, 40);
  assert.is(btf.codecFor('enum color').size, 4);
  assert.is(btf.codecFor<number>('__be16').encode(1)[1], 1);
  failsWith('ENOENT', () => btf.codecFor('struct nowhere'));
});

test('the command writes, keeps what is fresh, and tells what is stale', () => {
  const output = join(temporaryDirectory(cleanup), 'types.gen.ts');
  const gen = (...args: string[]) => spawnSync(process.execPath, [generator, ...args], { encoding: 'utf8' });
  assert.is(gen(basic, output, '--check').status, 1);
  assert.is(gen(basic, output).status, 0);
  assert.is(readFileSync(output, 'utf8'), readFileSync(fixture, 'utf8'));
  assert.is(gen(basic, output, '--check').status, 0);
  writeFileSync(output, 'old');
  const stale = gen(basic, output, '--check');
  assert.equal([stale.status, stale.stderr], [1, `check ${output}: it is stale\n`]);
  assert.is(gen(basic).stdout, readFileSync(fixture, 'utf8'));
  assert.equal([gen().status, gen('--nonsense').status, gen('/nowhere.o').status], [2, 2, 1]);
});

test('a file without types is an error', () => {
  const bare = compile(cleanup, 'basic', { types: false });
  assert.match(failsWith('EINVAL', () => generateTypes(bare)).message, /no section \.BTF/);
  failsWith('EINVAL', () => generateTypes(fixture));
  failsWith('ENOENT', () => generateTypes('/nowhere.o'));
});

test.run();
