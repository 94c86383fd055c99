import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BpfMap, be32, mapFlags, openObject, possibleCpus, struct, u32, u64 } from '../lib/index.js';
import { bpftool, Cleanup, compile, failsWith, run } from './support.js';

interface DumpRow {
  key: string[];
  value?: string[];
  values?: { cpu: number; value: string[] }[];
}

const cleanup = new Cleanup();
const test = suite('map');
test.after(() => cleanup.run());

function create(options: Parameters<typeof BpfMap.create>[0]): BpfMap {
  const map = BpfMap.create(options);
  cleanup.add(() => map.close());
  return map;
}

/** The map as bpftool sees it: raw bytes. */
function dump(map: BpfMap): DumpRow[] {
  return bpftool('map', 'dump', 'id', String(map.id)) as DumpRow[];
}

function raw(hex: string[]): Buffer {
  return Buffer.from(hex.map((byte) => Number.parseInt(byte, 16)));
}

const key = (n: number) => u32.encode(n);

for (const type of ['hash', 'lru_hash'] as const) {
  test(`a ${type} stores what bpftool reads, and reads what bpftool stores`, () => {
    const map = create({ type, name: 'numbers', keySize: 4, valueSize: 8, maxEntries: 8 });
    assert.is(map.lookup(key(1)), undefined);
    map.update(key(1), u64.encode(0x0102030405060708n));
    assert.equal(raw(dump(map)[0]?.value ?? []), Buffer.from(u64.encode(0x0102030405060708n)));
    bpftool('map', 'update', 'id', String(map.id), ...'key 2 0 0 0 value 9 0 0 0 0 0 0 0'.split(' '));
    assert.is(u64.decode(map.lookup(key(2)) ?? Buffer.alloc(0)), 9n);
    assert.is(map.delete(key(1)), true);
    assert.is(map.delete(key(1)), false);
    assert.equal(
      [...map.keys()].map((k) => u32.decode(k)),
      [2],
    );
  });
}

test('update modes are obeyed', () => {
  const map = create({ type: 'hash', keySize: 4, valueSize: 4, maxEntries: 1 });
  failsWith('ENOENT', () => map.update(key(1), key(0), 'exist'));
  map.update(key(1), key(10), 'noexist');
  failsWith('EEXIST', () => map.update(key(1), key(11), 'noexist'));
  map.update(key(1), key(12), 'exist');
  assert.is(u32.decode(map.lookup(key(1)) ?? Buffer.alloc(0)), 12);
  failsWith('E2BIG', () => map.update(key(2), key(0)));
});

test('an array has all its elements from the start', () => {
  const map = create({ type: 'array', keySize: 4, valueSize: 3, maxEntries: 5 });
  assert.is([...map.entries()].length, 5);
  assert.is(map.lookup(key(4))?.length, 3);
  assert.is(map.lookup(key(5)), undefined);
  failsWith('EINVAL', () => map.delete(key(0)));
});

for (const type of ['percpu_hash', 'percpu_array'] as const) {
  test(`a ${type} has one value for each possible CPU, rounded up to 8 bytes`, () => {
    const map = create({ type, keySize: 4, valueSize: 12, maxEntries: 2 });
    const pair = struct<{ a: bigint; b: number }>(12, [
      ['a', 0, u64],
      ['b', 8, u32],
    ]);
    const typed = map.typedPerCpu(u32, pair);
    assert.is(map.valueBytes, 16 * possibleCpus());
    const values = Array.from({ length: possibleCpus() }, (_, cpu) => ({ a: BigInt(cpu + 7), b: cpu * 3 }));
    typed.set(1, values);
    assert.equal(typed.get(1), values);
    const row = dump(map).find((r) => raw(r.key).equals(key(1)));
    assert.equal(
      row?.values?.map(({ value }) => pair.decode(raw(value))),
      values,
    );
    failsWith('EINVAL', () => map.update(key(0), Buffer.alloc(12)));
    failsWith('EINVAL', () => typed.set(1, values.slice(1)));
  });
}

test('an LPM trie finds the longest prefix, also from within a program', async () => {
  const object = openObject(compile(cleanup, 'basic'));
  cleanup.add(() => object.close());
  await object.load();
  const prefixKey = struct<{ length: number; address: number }>(8, [
    ['length', 0, u32],
    ['address', 4, be32],
  ]);
  const prefixes = object.map('prefixes').typed(prefixKey, u32);
  prefixes.set({ length: 8, address: 0x0a000000 }, 80);
  prefixes.set({ length: 24, address: 0x0a010200 }, 240);
  const rows: [address: number, found: number | undefined][] = [
    [0x0a010203, 240],
    [0x0a010303, 80],
    [0x0b000001, undefined],
  ];
  for (const [address, found] of rows) {
    assert.is(prefixes.get({ length: 32, address }), found);
    const packet = Buffer.alloc(64);
    packet.writeUInt32BE(address, 30);
    assert.is(object.program('find_prefix').testRun({ data: packet }).retval, found ?? 2);
  }
  failsWith('EINVAL', () => prefixes.set({ length: 33, address: 0 }, 1));
});

test('a map of maps takes maps, gives ids, and programs see the inner one', async () => {
  const object = openObject(compile(cleanup, 'basic'));
  cleanup.add(() => object.close());
  await object.load();
  const groups = object.map('groups');
  const shape = { type: 'array', keySize: 4, valueSize: 8, flags: mapFlags.innerMap } as const;
  const small = create({ ...shape, maxEntries: 1 });
  const large = create({ ...shape, maxEntries: 100 });
  small.update(key(0), u64.encode(41n));
  large.update(key(0), u64.encode(42n));
  groups.update(key(3), small);
  const first = () =>
    object.program('first_of_group').testRun({ data: new Uint8Array(14), ctx: mark(3) }).retval;
  assert.is(first(), 41);
  groups.update(key(3), large);
  assert.is(first(), 42);
  const inner = BpfMap.fromId(u32.decode(groups.lookup(key(3)) ?? Buffer.alloc(0)));
  assert.equal([inner.id, inner.maxEntries], [large.id, 100]);
  inner.close();
  failsWith('EINVAL', () => groups.update(key(3), u32.encode(1)));
  failsWith('EINVAL', () =>
    groups.update(key(3), create({ type: 'hash', keySize: 4, valueSize: 8, maxEntries: 1 })),
  );
});

function mark(value: number): Uint8Array {
  const context = Buffer.alloc(192);
  context.writeUInt32LE(value, 8);
  return context;
}

test('a map of maps is made from a map shaped as its inner ones', () => {
  const inner = create({ type: 'hash', keySize: 4, valueSize: 4, maxEntries: 4 });
  const outer = create({ type: 'array_of_maps', keySize: 4, valueSize: 4, maxEntries: 2, innerMap: inner });
  outer.update(key(1), inner);
  assert.is(u32.decode(outer.lookup(key(1)) ?? Buffer.alloc(0)), inner.id);
  assert.is(outer.lookup(key(0)), undefined);
});

test('an inner shape can be set on an object before it is loaded', async () => {
  const object = openObject(compile(cleanup, 'basic'));
  const shape = BpfMap.create({ type: 'array', keySize: 4, valueSize: 8, maxEntries: 7 });
  object.maps.get('groups')?.setInnerMap(shape);
  shape.close();
  await object.load();
  const fitting = create({ type: 'array', keySize: 4, valueSize: 8, maxEntries: 7 });
  object.map('groups').update(key(1), fitting);
  const other = create({ type: 'array', keySize: 4, valueSize: 8, maxEntries: 8 });
  failsWith('EINVAL', () => object.map('groups').update(key(1), other));
  object.close();
});

test('a devmap holds devices by ifindex', () => {
  const map = create({ type: 'devmap', keySize: 4, valueSize: 4, maxEntries: 4 });
  map.update(key(2), key(1));
  assert.is(u32.decode(map.lookup(key(2)) ?? Buffer.alloc(0)), 1);
  failsWith('EINVAL', () => map.update(key(2), key(0x7fffffff)));
  assert.is(map.delete(key(2)), true);
});

test('a program array takes programs', async () => {
  const object = openObject(compile(cleanup, 'basic'));
  cleanup.add(() => object.close());
  await object.load();
  const map = create({ type: 'prog_array', keySize: 4, valueSize: 4, maxEntries: 2 });
  map.update(key(0), object.program('count_green'));
  assert.is(u32.decode(map.lookup(key(0)) ?? Buffer.alloc(0)), object.program('count_green').id);
  failsWith('EINVAL', () => map.update(key(0), u32.encode(object.program('count_green').id)));
});

test('without a /sys that tells the CPUs a per-CPU map is an error, not a buffer of no bytes', () => {
  const program = `
    import { BpfMap } from '${new URL('../lib/index.js', import.meta.url).href}';
    try { BpfMap.create({ type: 'percpu_array', keySize: 4, valueSize: 4096, maxEntries: 1 }); }
    catch ({ message }) { console.log(message); }
  `;
  const script = 'mount -t tmpfs none /sys/devices/system/cpu && exec "$0" --input-type=module -e "$1"';
  const said = run('unshare', '--mount', 'sh', '-c', script, process.execPath, program);
  assert.match(said, /^inspect map: cannot tell the number of possible CPUs/);
});

test('a frozen map takes no more writes', () => {
  const map = create({ type: 'array', keySize: 4, valueSize: 4, maxEntries: 1 });
  map.freeze();
  failsWith('EPERM', () => map.update(key(0), key(1)));
});

test('a typed map behaves like a Map', () => {
  const typed = create({ type: 'hash', keySize: 4, valueSize: 8, maxEntries: 100 }).typed(u32, u64);
  typed.set(1, 10n);
  assert.is(
    typed.setMany([
      [2, 20n],
      [3, 30n],
    ]),
    2,
  );
  assert.equal(
    [typed.get(2), typed.get(9), typed.has(3), typed.has(9), typed.size],
    [20n, undefined, true, false, 3],
  );
  assert.equal(
    new Map([...typed].sort()),
    new Map([
      [1, 10n],
      [2, 20n],
      [3, 30n],
    ]),
  );
  assert.equal([...typed.keys()].sort(), [1, 2, 3]);
  assert.equal([...typed.values()].sort(), [10n, 20n, 30n]);
  assert.is(typed.deleteMany([1, 9, 3]), 2);
  assert.is(typed.delete(2), true);
  assert.is(typed.size, 0);
});

test('codecs of another size than the map are refused', () => {
  const map = create({ type: 'hash', keySize: 4, valueSize: 8, maxEntries: 1 });
  failsWith('EINVAL', () => map.typed(u64, u64));
  failsWith('EINVAL', () => map.typed(u32, u32));
  failsWith('EINVAL', () => map.typedPerCpu(u32, u64));
});

test('impossible maps are refused by name of what is wrong', () => {
  failsWith('EINVAL', () => BpfMap.create({ type: 'no_such_type', maxEntries: 1 }));
  failsWith('EINVAL', () => BpfMap.create({ type: 'hash', keySize: 4, valueSize: 4, maxEntries: 0 }));
  failsWith('EINVAL', () => BpfMap.create({ type: 'hash', keySize: -4, valueSize: 4, maxEntries: 1 }));
  failsWith('ENOENT', () => BpfMap.fromId(0xfffffff0));
  const misnamed = { type: 'hash', name: 'my-map', keySize: 4, valueSize: 4, maxEntries: 1 } as const;
  assert.match(
    failsWith('EINVAL', () => BpfMap.create(misnamed)).message,
    /^create map my-map: a name has only/,
  );
});

test.run();
