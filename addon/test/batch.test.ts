// kernels: one
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BpfMap, features, type MapOptions, mapFlags, struct, u32, u64 } from '../lib/index.js';
import { bpftool, Cleanup, failsWith, run } from './support.js';

const library = new URL('../lib/index.js', import.meta.url).href;

const cleanup = new Cleanup();
const test = suite('batch');
test.after(() => cleanup.run());

const many = 20_000;
const prefixKey = struct<{ length: number; address: number }>(8, [
  ['length', 0, u32],
  ['address', 4, u32],
]);

function create(options: MapOptions): BpfMap {
  const map = BpfMap.create(options);
  cleanup.add(() => map.close());
  return map;
}

function packed(count: number, encode: (i: number) => Uint8Array): Buffer {
  return Buffer.concat(Array.from({ length: count }, (_, i) => encode(i)));
}

const kinds: [type: string, options: Partial<MapOptions>][] = [
  ['hash', {}],
  ['hash without preallocation', { type: 'hash', flags: mapFlags.noPrealloc }],
  ['lru_hash', {}],
  ['array', {}],
];
for (const [name, options] of kinds) {
  test(`a ${name} takes and gives ${many} elements at once`, () => {
    const size = name === 'lru_hash' ? many * 4 : many;
    const map = create({ type: name, keySize: 4, valueSize: 8, maxEntries: size, ...options });
    const keys = packed(many, (i) => u32.encode(i));
    const values = packed(many, (i) => u64.encode(BigInt(i) * 3n));
    assert.is(map.updateBatch(keys, values, many), many);
    const found = map.lookupAll();
    const expected = name === 'array' ? size : many;
    assert.is(found.count, expected);
    const seen = new Map<number, bigint>();
    for (let i = 0; i < found.count; i++)
      seen.set(u32.decode(found.keys, i * 4), u64.decode(found.values, i * 8));
    assert.is(seen.size, expected);
    for (const [k, v] of seen) assert.is(v, BigInt(k) * 3n);
  });
}

test('what a batch wrote is what bpftool reads', () => {
  const map = create({ type: 'hash', keySize: 4, valueSize: 4, maxEntries: 12_000 });
  map.updateBatch(
    packed(12_000, (i) => u32.encode(i)),
    packed(12_000, (i) => u32.encode(i ^ 0x5a5a)),
    12_000,
  );
  const rows = bpftool('map', 'dump', 'id', String(map.id)) as { key: string[]; value: string[] }[];
  const number = (hex: string[]) => Buffer.from(hex.map((b) => Number.parseInt(b, 16))).readUInt32LE();
  assert.is(rows.length, 12_000);
  assert.ok(rows.every((row) => (number(row.key) ^ 0x5a5a) === number(row.value)));
});

test('deleting steps over what is missing and counts what was there', () => {
  const map = create({ type: 'hash', keySize: 4, valueSize: 4, maxEntries: many });
  const keys = packed(many, (i) => u32.encode(i));
  map.updateBatch(keys, keys, many);
  for (const hole of [0, 7, 8, many - 1]) map.delete(u32.encode(hole));
  assert.is(map.deleteBatch(keys, many), many - 4);
  assert.is(map.lookupAll().count, 0);
});

test('an LPM trie, which lacks some batches on some kernels, does the same', () => {
  const flags = mapFlags.noPrealloc;
  const map = create({ type: 'lpm_trie', keySize: 8, valueSize: 4, maxEntries: 1000, flags });
  const keys = packed(1000, (i) => prefixKey.encode({ length: 64 - 32, address: i }));
  assert.is(
    map.updateBatch(
      keys,
      packed(1000, (i) => u32.encode(i)),
      1000,
    ),
    1000,
  );
  const found = map.lookupAll();
  assert.is(found.count, 1000);
  for (let i = 0; i < 1000; i++) {
    assert.is(prefixKey.decode(found.keys, i * 8).address, u32.decode(found.values, i * 4));
  }
  assert.is(map.deleteBatch(keys, 1000), 1000);
});

test('a devmap is listed one by one where it has no batch', () => {
  const map = create({ type: 'devmap_hash', keySize: 4, valueSize: 4, maxEntries: 8 });
  map.updateBatch(
    packed(3, (i) => u32.encode(i)),
    packed(3, () => u32.encode(1)),
    3,
  );
  assert.is(map.lookupAll().count, 3);
});

test('per-CPU maps go by batch too', () => {
  const map = create({ type: 'percpu_hash', keySize: 4, valueSize: 8, maxEntries: 5000 });
  const cpus = map.valueBytes / 8;
  const value = (i: number) => packed(cpus, (cpu) => u64.encode(BigInt(i * 10 + cpu)));
  map.updateBatch(
    packed(5000, (i) => u32.encode(i)),
    packed(5000, value),
    5000,
  );
  const found = map.typedPerCpu(u32, u64);
  assert.is(found.size, 5000);
  assert.equal(found.get(4999)?.at(-1), BigInt(49990 + cpus - 1));
});

test('modes that batches do not know are obeyed one by one', () => {
  const map = create({ type: 'hash', keySize: 4, valueSize: 4, maxEntries: 10 });
  const keys = packed(3, (i) => u32.encode(i));
  map.update(u32.encode(1), u32.encode(99));
  assert.match(
    failsWith('EEXIST', () => map.updateBatch(keys, keys, 3, 'noexist')).message,
    /element 1 of 3/,
  );
  map.updateBatch(keys.subarray(4, 8), keys.subarray(4, 8), 1, 'exist');
  assert.is(u32.decode(map.lookup(u32.encode(1)) ?? Buffer.alloc(4)), 1);
});

test('a map that is full names the element that did not fit', () => {
  const map = create({ type: 'hash', keySize: 4, valueSize: 4, maxEntries: 100, flags: mapFlags.noPrealloc });
  const keys = packed(150, (i) => u32.encode(i));
  assert.match(failsWith('E2BIG', () => map.updateBatch(keys, keys, 150)).message, /element 1\d\d of 150/);
});

test('what a batch deletes is named when it cannot be deleted', () => {
  const flags = mapFlags.noPrealloc;
  const map = create({ type: 'lpm_trie', keySize: 8, valueSize: 4, maxEntries: 4, flags });
  const keys = packed(3, (i) => prefixKey.encode({ length: i === 2 ? 33 : 32, address: i }));
  map.updateBatch(keys.subarray(0, 16), Buffer.alloc(8), 2);
  assert.match(failsWith('EINVAL', () => map.deleteBatch(keys, 3)).message, /element 2 of 3/);
});

test('a map without elements says so to a batch too', () => {
  const map = create({ type: 'ringbuf', maxEntries: 4096 });
  const none = new Uint8Array(0);
  const message = /map: not supported by the kernel \(element 0 of 1\) \(ENOTSUPP\)$/;
  assert.match(failsWith('ENOTSUPP', () => map.updateBatch(none, none, 1)).message, message);
  assert.match(failsWith('ENOTSUPP', () => map.deleteBatch(none, 1)).message, message);
});

test('a trie that changes meanwhile is listed with each key once', async () => {
  const size = many;
  const flags = mapFlags.noPrealloc;
  const map = create({ type: 'lpm_trie', keySize: 8, valueSize: 4, maxEntries: size, flags });
  const keys = packed(size, (address) => prefixKey.encode({ length: 32, address }));
  map.updateBatch(keys, Buffer.alloc(size * 4), size);
  const worker = new Worker(
    `
    import('${library}').then(({ BpfMap }) => {
      const { parentPort, workerData } = require('node:worker_threads');
      const map = BpfMap.fromId(workerData.id);
      parentPort.postMessage('deleting');
      for (;;) {
        const i = Math.floor(Math.random() * ${size});
        const key = workerData.keys.subarray(i * 8, i * 8 + 8);
        if (Math.random() < 0.3) map.delete(key);
        else map.update(key, new Uint8Array(4));
      }
    });
  `,
    { eval: true, workerData: { id: map.id, keys } },
  );
  try {
    await once(worker, 'message');
    for (let i = 0; i < 50; i++) {
      const found = map.lookupAll();
      const distinct = new Set(
        Array.from({ length: found.count }, (_, at) => found.keys.readUInt32LE(at * 8 + 4)),
      );
      assert.is(distinct.size, found.count);
      assert.ok(found.count > 0 && found.count <= size);
    }
  } finally {
    await worker.terminate();
  }
});

test('a large map with few large values is listed in little memory', () => {
  const program = `
    import { BpfMap } from '${library}';
    const map = BpfMap.create({ type: 'hash', keySize: 4, valueSize: 65536, maxEntries: 100_000, flags: 1 });
    map.update(Buffer.alloc(4), Buffer.alloc(65536));
    const before = process.resourceUsage().maxRSS;
    const { count } = map.lookupAll();
    console.log(JSON.stringify([count, process.resourceUsage().maxRSS - before]));
  `;
  const [count, kilobytes] = JSON.parse(run(process.execPath, '--input-type=module', '-e', program));
  assert.is(count, 1);
  assert.ok(kilobytes < 20_000, `${kilobytes} KB`);
});

test('nothing to do is done', () => {
  const map = create({ type: 'hash', keySize: 4, valueSize: 4, maxEntries: 1 });
  const none = new Uint8Array(0);
  assert.equal([map.updateBatch(none, none, 0), map.deleteBatch(none, 0), map.lookupAll().count], [0, 0, 0]);
});

test('lengths that do not match the count are refused', () => {
  const map = create({ type: 'hash', keySize: 4, valueSize: 8, maxEntries: 10 });
  failsWith('EINVAL', () => map.updateBatch(new Uint8Array(8), new Uint8Array(15), 2));
  failsWith('EINVAL', () => map.updateBatch(new Uint8Array(8), new Uint8Array(24), 3));
  failsWith('EINVAL', () => map.deleteBatch(new Uint8Array(8), 3));
  failsWith('EINVAL', () => map.deleteBatch(new Uint8Array(8), -1));
  failsWith('EINVAL', () => map.deleteBatch(new Uint8Array(8), 0.5));
});

test('this kernel has batches', () => {
  assert.is(features.batch(), true);
});

test.run();
