// kernels: one
import { closeSync, readdirSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  attachNetkit,
  attachTc,
  type BpfLink,
  BpfMap,
  type BpfObject,
  type BpfProgram,
  features,
  interfaceIndex,
  listNetkit,
  listTcx,
  openObject,
  u32,
} from '../lib/index.js';
import { native } from '../lib/native.js';
import { Cleanup, compile, failsWith, makeNamespace, run } from './support.js';

const cleanup = new Cleanup();
const test = suite('misuse');
let object: BpfObject;
let map: BpfMap;
let program: BpfProgram;
let path: string;

test.before(async () => {
  path = compile(cleanup, 'basic');
  object = openObject(path);
  cleanup.add(() => object.close());
  await object.load();
  program = object.program('count_green');
  map = BpfMap.create({ type: 'hash', name: 'victim', keySize: 8, valueSize: 16, maxEntries: 4 });
});
test.after(() => cleanup.run());

/** What a caller without types may pass. */
const anything = (value: unknown) => value as never;
const key = Buffer.alloc(8);
const value = Buffer.alloc(16);

const rows: [name: string, action: () => unknown][] = [
  ['a key that is too short', () => map.lookup(Buffer.alloc(7))],
  ['a key that is too long', () => map.lookup(Buffer.alloc(9))],
  ['an empty key', () => map.delete(new Uint8Array(0))],
  ['a value that is too short', () => map.update(key, Buffer.alloc(15))],
  ['a value that is too long', () => map.update(key, Buffer.alloc(17))],
  ['null for a key', () => map.lookup(anything(null))],
  ['undefined for a key', () => map.lookup(anything(undefined))],
  ['text for a key', () => map.lookup(anything('12345678'))],
  ['an array for a key', () => map.lookup(anything([1, 2, 3, 4, 5, 6, 7, 8]))],
  ['words for a key', () => map.lookup(anything(new Uint32Array(2)))],
  ['an ArrayBuffer for a key', () => map.lookup(anything(new ArrayBuffer(8)))],
  ['a map for a value', () => map.update(key, map)],
  ['an unknown mode', () => map.update(key, value, anything('never'))],
  ['numbers for a batch', () => map.updateBatch(anything(1), anything(2), 3)],
  ['a batch count that is no integer', () => map.updateBatch(key, value, Number.NaN)],
  ['a batch count that overflows', () => map.updateBatch(key, value, 2 ** 32)],
  ['a path that is empty', () => map.pin('')],
  ['a path with a NUL', () => BpfMap.openPinned('/sys/fs/bpf/x\0y')],
  ['a path that is a number', () => BpfMap.openPinned(anything(7))],
  ['a path without end', () => BpfMap.openPinned(`/${'x/'.repeat(5000)}`)],
  ['an id that is negative', () => BpfMap.fromId(-1)],
  ['a map for a program', () => attachTc(anything(map), { ifindex: 1, direction: 'ingress' })],
  ['an object for a program', () => attachTc(anything({}), { ifindex: 1, direction: 'ingress' })],
  ['a direction that is none', () => attachTc(program, { ifindex: 1, direction: anything('up') })],
  ['a direction of another hook', () => attachTc(program, { ifindex: 1, direction: anything('peer') })],
  ['an end that is none', () => attachNetkit(program, { ifindex: 1, end: anything('ingress') })],
  ['an end of no hook to list', () => listNetkit({ ifindex: 1, end: anything('both') })],
  ['a mode that is none', () => attachTc(program, { ifindex: 1, direction: 'ingress', mode: anything('x') })],
  ['an ifindex that is text', () => attachTc(program, { ifindex: anything('lo'), direction: 'ingress' })],
  ['an ifindex with a fraction', () => attachTc(program, { ifindex: 1.5, direction: 'ingress' })],
  ['a program for an inner map', () => openObject(path).maps.get('groups')?.setInnerMap(anything(program))],
  ['an object path that is no text', () => openObject(anything(undefined))],
];
for (const [name, action] of rows) {
  test(`${name} is an error`, () => {
    failsWith('EINVAL', action);
  });
}

test('a key in memory that was given away is an error', () => {
  const moved = new Uint8Array(8);
  structuredClone(moved.buffer, { transfer: [moved.buffer] });
  failsWith('EINVAL', () => map.lookup(moved));
});

test('methods on objects that are not theirs are errors', () => {
  const prototype = Object.getPrototypeOf(map.native) as Record<string, (this: unknown) => unknown>;
  for (const receiver of [{}, null, program.native, Object.create(map.native)]) {
    assert.throws(() => prototype.info?.call(receiver));
  }
  const impostor = Object.create(map.native);
  failsWith('EINVAL', () => native.attachLink(impostor, 1, 'ingress'));
});

test('a getter among the options cannot close the inner map under its user', () => {
  const shape = { type: 'array', keySize: 4, maxEntries: 1 } as const;
  const inner = BpfMap.create({ ...shape, valueSize: 4 });
  let other: BpfMap | undefined;
  const options = {
    ...shape,
    valueSize: 4,
    get type() {
      inner.close();
      other = BpfMap.create({ ...shape, valueSize: 8 });
      return 'array_of_maps';
    },
    innerMap: inner.native,
  };
  failsWith('EBADF', () => native.createMap(options));
  other?.close();
});

test('native classes cannot be made without what they wrap', () => {
  for (const handle of [map.native, program.native]) {
    const Class = Object.getPrototypeOf(handle).constructor as new (...args: unknown[]) => unknown;
    assert.throws(() => new Class());
    assert.throws(() => new Class({}));
    assert.throws(() => (Class as unknown as () => unknown)());
  }
});

test('everything closed says so, and closes again', () => {
  const own = BpfMap.create({ type: 'hash', keySize: 4, valueSize: 4, maxEntries: 1 });
  own.close();
  own.close();
  const uses = [
    () => own.fd,
    () => own.lookup(key.subarray(0, 4)),
    () => own.update(key.subarray(0, 4), key.subarray(0, 4)),
    () => own.delete(key.subarray(0, 4)),
    () => [...own.keys()],
    () => own.lookupAll(),
    () => own.updateBatch(key.subarray(0, 4), key.subarray(0, 4), 1),
    () => own.deleteBatch(key.subarray(0, 4), 1),
    () => own.pin('/sys/fs/bpf/nowhere'),
    () => own.freeze(),
  ];
  for (const use of uses) failsWith('EBADF', use);
});

test('a descriptor that somebody else closed is EBADF from the kernel', () => {
  const own = BpfMap.create({ type: 'hash', keySize: 4, valueSize: 4, maxEntries: 1 });
  closeSync(own.fd);
  failsWith('EBADF', () => own.lookup(key.subarray(0, 4)));
  failsWith('EBADF', () => own.lookupAll());
  own.close();
});

test('a descriptor that somebody else closed is not taken for the next map that gets its number', () => {
  const own = BpfMap.create({ type: 'array', keySize: 4, valueSize: 4, maxEntries: 1 });
  const stolen = own.fd;
  closeSync(stolen);
  const larger = BpfMap.create({ type: 'array', keySize: 4, valueSize: 1 << 20, maxEntries: 1 });
  assert.is(larger.fd, stolen);
  failsWith('EBADF', () => own.lookup(key.subarray(0, 4)));
  failsWith('EBADF', () => own.update(key.subarray(0, 4), key.subarray(0, 4)));
  failsWith('EBADF', () => own.lookupAll());
  larger.close();
  own.close();
});

/** Counted here, for a child that counts may see its own pipes before they are closed on this side. */
function descriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

test('failures leak no descriptors', () => {
  const before = descriptors();
  for (let i = 0; i < 200; i++) {
    assert.throws(() => BpfMap.create({ type: 'hash', keySize: 4, valueSize: 4, maxEntries: 0 }));
    assert.throws(() => attachTc(program, { ifindex: 0x7ffffff0, direction: 'ingress' }));
    assert.throws(() => openObject('/dev/null'));
    assert.throws(() => interfaceIndex('none', '/proc/self/ns/net'));
    assert.throws(() => map.update(key, Buffer.alloc(1)));
  }
  assert.is(descriptors(), before);
});

test('the garbage collector closes what was forgotten', async () => {
  const { setFlagsFromString } = await import('node:v8');
  const { runInNewContext } = await import('node:vm');
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const { path: netns } = makeNamespace(cleanup);
  const ifindex = interfaceIndex('lo', netns);
  const before = descriptors();
  const forgotten: (BpfMap | BpfLink)[] = [];
  for (const direction of ['ingress', 'egress'] as const) {
    forgotten.push(attachTc(program, { ifindex, direction, netns })); // clsact where there is no tcx
    for (let i = 0; i < 50; i++) {
      forgotten.push(BpfMap.create({ type: 'array', keySize: 4, valueSize: 4, maxEntries: 1 }));
    }
  }
  forgotten.splice(0);
  for (let i = 0; i < 20 && descriptors() > before; i++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.is(descriptors(), before);
  for (const direction of ['ingress', 'egress'] as const) {
    const shown = ['tc', 'filter', 'show', 'dev', 'lo', direction];
    assert.is(run('nsenter', `--net=${netns}`, ...shown), '');
    if (features.tcx()) assert.equal(listTcx({ ifindex, direction, netns }), []);
  }
});

test('a map survives its neighbours being closed', () => {
  map.update(key, value);
  assert.equal(map.lookup(key), value);
  assert.is(u32.decode(Buffer.from([1, 0, 0, 0])), 1);
});

test.run();
