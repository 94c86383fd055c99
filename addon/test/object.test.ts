import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openObject } from '../lib/index.js';
import {
  bpftool,
  Cleanup,
  compile,
  failsWith,
  mountBpffs,
  rejectsWith,
  run,
  temporaryDirectory,
} from './support.js';

const cleanup = new Cleanup();
const test = suite('object');
let basic: string;

test.before(() => {
  basic = compile(cleanup, 'basic');
});
test.after(() => cleanup.run());

test('an opened object lists its maps and programs', () => {
  const object = openObject(basic);
  const flows = object.maps.get('flows');
  assert.equal(
    [flows?.type, flows?.keySize, flows?.valueSize, flows?.maxEntries, flows?.flags],
    ['hash', 32, 40, 16, 1],
  );
  assert.ok(object.maps.has('.rodata'));
  assert.is(object.programs.get('pass_xdp')?.type, 'xdp');
  assert.is(object.programs.get('count_green')?.section, 'tc');
  object.close();
});

test('changed max entries are what the kernel gets', async () => {
  const object = openObject(basic);
  const spec = object.maps.get('flows');
  assert.ok(spec);
  spec.maxEntries = 1234;
  await object.load();
  const map = object.map('flows');
  assert.is((bpftool('map', 'show', 'id', String(map.id)) as { max_entries: number }).max_entries, 1234);
  object.close();
});

test('a data section keeps its one entry', () => {
  const object = openObject(basic);
  const spec = object.maps.get('.rodata');
  assert.ok(spec);
  failsWith('EINVAL', () => {
    spec.maxEntries = 100_000;
  });
  assert.is(spec.maxEntries, 1);
  object.close();
});

test('constants reach the program, each in the byte order of its type', async () => {
  const object = openObject(basic);
  object.setRodata({
    port: 8472,
    address4: 0x0a000001,
    address6: { w: [0x20010db8, 0, 0, 1] },
    build_id: 0x1122334455667788n,
    verbose: true,
    mac: Uint8Array.of(2, 0, 0, 0, 0, 9),
  });
  await object.load();
  const { data } = object.program('show_constants').testRun({ data: new Uint8Array(64) });
  assert.is(data.readUInt16LE(0), 8472);
  assert.is(data.toString('hex', 2, 6), '0a000001');
  assert.is(data.readBigUInt64LE(6), 0x1122334455667788n);
  assert.is(data.toString('hex', 14, 30), '20010db8000000000000000000000001');
  assert.is(data[30], 1);
  assert.is(data.toString('hex', 31, 37), '020000000009');
  object.close();
});

test('a constant left alone keeps its initial value', async () => {
  const object = openObject(basic);
  assert.is(object.rodata().indexOf(Buffer.from([4789 & 0xff, 4789 >> 8])) >= 0, true);
  await object.load();
  const { data } = object.program('show_constants').testRun({ data: new Uint8Array(64) });
  assert.is(data.readUInt16LE(0), 4789);
  object.close();
});

test('rodata() is byte for byte what the kernel holds', async () => {
  const object = openObject(basic);
  object.setRodata({ port: 1, build_id: 5 });
  const expected = object.rodata();
  await object.load();
  assert.equal(object.map('.rodata').lookup(Buffer.alloc(4)), expected);
  object.close();
});

const badConstants: [
  name: string,
  values: Record<string, never | number | Uint8Array | object>,
  code: string,
][] = [
  ['an unknown name', { nothing: 1 }, 'ENOENT'],
  ['a number that does not fit', { port: 65536 }, 'EINVAL'],
  ['bytes of another length', { mac: new Uint8Array(5) }, 'EINVAL'],
  ['a struct for a number', { port: { w: [1] } }, 'EINVAL'],
  ['a number for a struct', { address6: 1 }, 'EINVAL'],
];
for (const [name, values, code] of badConstants) {
  test(`a constant refuses ${name}`, () => {
    const object = openObject(basic);
    failsWith(code, () => object.setRodata(values));
    object.close();
  });
}

test('a refusal of the verifier tells its reason in the message and all of it in the log', async () => {
  const object = openObject(compile(cleanup, 'broken'));
  const error = await rejectsWith('EACCES', () => object.load());
  assert.match(error.message, /load object broken: prog 'reads_past_end': .*(packet|offset is outside)/);
  assert.match(error.log ?? '', /reads_past_end/);
  assert.match(error.log ?? '', /processed \d+ insns/);
  failsWith('EINVAL', () => object.program('fine'));
  await rejectsWith('EINVAL', async () => object.load());
  object.close();
});

test('a program without autoload is not verified', async () => {
  const object = openObject(compile(cleanup, 'broken'));
  const spec = object.programs.get('reads_past_end');
  assert.ok(spec);
  spec.autoload = false;
  await object.load();
  assert.is(object.program('fine').name, 'fine');
  failsWith('ENOENT', () => object.program('reads_past_end'));
  object.close();
});

test('nothing of libbpf is printed', () => {
  const broken = compile(cleanup, 'broken');
  const index = new URL('../lib/index.js', import.meta.url).href;
  const program = `const { openObject } = await import('${index}'); await openObject('${broken}').load().catch(() => {});`;
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
  });
  assert.equal([stdout, stderr, status], ['', '', 0]);
});

test('a pin path creates the map once and adopts it the next time', async () => {
  const bpffs = mountBpffs(cleanup);
  const ids: number[] = [];
  for (let i = 0; i < 2; i++) {
    const object = openObject(basic);
    const spec = object.maps.get('flows');
    assert.ok(spec);
    spec.pinPath = join(bpffs, 'flows');
    await object.load();
    ids.push(object.map('flows').id);
    object.close();
  }
  assert.is(ids[0], ids[1]);
  assert.is((bpftool('map', 'show', 'pinned', join(bpffs, 'flows')) as { id: number }).id, ids[0]);
});

test('a pinned map of another shape is not adopted', async () => {
  const bpffs = mountBpffs(cleanup);
  for (const [entries, code] of [
    [8, ''],
    [9, 'EINVAL'],
  ] as const) {
    const object = openObject(basic);
    const spec = object.maps.get('flows');
    assert.ok(spec);
    spec.pinPath = join(bpffs, 'flows');
    spec.maxEntries = entries;
    if (code === '') await object.load();
    else assert.match((await rejectsWith(code, () => object.load())).message, /flows.*mismatch/);
    object.close();
  }
});

test('loading leaves the event loop free', async () => {
  const object = openObject(basic);
  let turns = 0;
  const turn = () => {
    turns++;
    next = setImmediate(turn);
  };
  let next = setImmediate(turn);
  const loading = object.load();
  failsWith('EBUSY', () => object.close());
  failsWith('EBUSY', () => object.map('flows'));
  failsWith('EBUSY', () => object.setRodata({ port: 1 }));
  const second = object.load();
  assert.is((await second.catch(({ code }) => code)) as string, 'EBUSY');
  await loading;
  clearImmediate(next);
  assert.ok(turns > 0);
  object.close();
});

test('what needs a loaded object says so before, and editing is refused after', async () => {
  const object = openObject(basic);
  failsWith('ENODATA', () => object.map('flows'));
  failsWith('ENODATA', () => object.program('count_green'));
  await object.load();
  const spec = object.maps.get('flows');
  assert.ok(spec);
  failsWith('EALREADY', () => object.setRodata({ port: 1 }));
  failsWith('EALREADY', () => {
    spec.maxEntries = 3;
  });
  await rejectsWith('EALREADY', async () => object.load());
  failsWith('ENOENT', () => object.map('nothing'));
  failsWith('ENOENT', () => object.program('nothing'));
  object.close();
});

test('closing an object closes the maps and programs taken from it, and twice is fine', async () => {
  const object = openObject(basic);
  await object.load();
  const [map, program] = [object.map('flows'), object.program('count_green')];
  assert.is(object.map('flows'), map);
  object.close();
  object.close();
  failsWith('EBADF', () => map.lookup(new Uint8Array(32)));
  failsWith('EBADF', () => program.info());
  failsWith('EBADF', () => object.map('flows'));
});

test('a file that is missing or no object is a clear error', () => {
  const directory = temporaryDirectory(cleanup);
  const text = join(directory, 'text');
  writeFileSync(text, 'not an object');
  assert.match(
    failsWith('ENOENT', () => openObject(join(directory, 'none'))).message,
    /^open object .*none: /,
  );
  failsWith('LIBBPF_FORMAT', () => openObject(text));
  const truncated = join(directory, 'truncated.o');
  run('head', '-c', '700', basic);
  writeFileSync(truncated, Buffer.from(run('base64', '-w0', basic), 'base64').subarray(0, 700));
  assert.throws(() => openObject(truncated));
});

test.run();
