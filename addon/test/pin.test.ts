import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  attachTc,
  BpfLink,
  BpfMap,
  BpfProgram,
  features,
  interfaceIndex,
  openObject,
  u32,
  unpin,
} from '../lib/index.js';
import {
  bpftool,
  Cleanup,
  compile,
  failsWith,
  makeNamespace,
  mountBpffs,
  run,
  temporaryDirectory,
} from './support.js';

const cleanup = new Cleanup();
const test = suite('pin');
let bpffs: string;

test.before(() => {
  bpffs = mountBpffs(cleanup);
});
test.after(() => cleanup.run());

function pinned(kind: string, name: string): number {
  return (bpftool(kind, 'show', 'pinned', join(bpffs, name)) as { id: number }).id;
}

test('a pinned map outlives its descriptor', () => {
  const path = join(bpffs, 'map');
  const made = BpfMap.create({ type: 'hash', name: 'kept', keySize: 4, valueSize: 4, maxEntries: 4 });
  made.update(u32.encode(1), u32.encode(2));
  made.pin(path);
  made.close();
  const again = BpfMap.openPinned(path);
  assert.is(again.id, pinned('map', 'map'));
  assert.is(again.name, 'kept');
  assert.is(u32.decode(again.lookup(u32.encode(1)) ?? Buffer.alloc(4)), 2);
  again.unpin(path);
  again.close();
  assert.not(existsSync(path));
  failsWith('ENOENT', () => BpfMap.openPinned(path));
});

test('a pinned program outlives its object and can be run', async () => {
  const path = join(bpffs, 'program');
  const object = openObject(compile(cleanup, 'basic'));
  await object.load();
  const { id, tag } = object.program('count_green');
  object.program('count_green').pin(path);
  object.close();
  const again = BpfProgram.openPinned(path);
  assert.equal([again.id, again.tag, again.type], [id, tag, 'sched_cls']);
  assert.is(again.id, pinned('prog', 'program'));
  assert.is(again.testRun({ data: new Uint8Array(14) }).retval, 0xffffffff);
  unpin(path);
  again.close();
});

const modes = features.tcx() ? (['tcx', 'clsact'] as const) : (['clsact'] as const);
for (const mode of modes)
  test(`a pinned ${mode} link stays attached and is owned again by who opens it`, async () => {
    const path = join(bpffs, `link_${mode}`);
    const { path: netns } = makeNamespace(cleanup);
    const object = openObject(compile(cleanup, 'basic'));
    await object.load();
    const ifindex = interfaceIndex('lo', netns);
    const program = object.program('count_green');
    const made = attachTc(program, { ifindex, direction: 'ingress', netns, mode });
    made.pin(path);
    failsWith('EEXIST', () => made.pin(`${path}2`));
    const info = made.info();
    const { type, programId, direction } = info;
    assert.equal([type, programId, info.ifindex, direction], [mode, program.id, ifindex, 'ingress']);
    made.close();

    const again = BpfLink.openPinned(path, { netns });
    assert.equal(again.info(), info);
    assert.is(again.pinPath, path);
    again.unpin();
    assert.is(again.pinPath, undefined);
    again.close();
    failsWith('ENOENT', () => BpfLink.openPinned(path));
    if (mode === 'tcx') failsWith('ENOENT', () => BpfLink.fromId(info.id));
    else assert.is(run('nsenter', `--net=${netns}`, ...'tc filter show dev lo ingress'.split(' ')), '');
    object.close();
  });

test('opening a pin as what it is not is refused', async () => {
  const [map, program] = [join(bpffs, 'a_map'), join(bpffs, 'a_program')];
  const object = openObject(compile(cleanup, 'basic'));
  await object.load();
  object.map('flows').pin(map);
  object.program('count_green').pin(program);
  object.close();
  assert.match(failsWith('EINVAL', () => BpfMap.openPinned(program)).message, /bpf-prog, not a bpf-map/);
  failsWith('EINVAL', () => BpfProgram.openPinned(map));
  failsWith('EINVAL', () => BpfLink.openPinned(map));
  failsWith('EINVAL', () => BpfLink.openPinned(program));
});

test('pinning goes only where there is a bpffs, and only once', () => {
  const directory = temporaryDirectory(cleanup);
  const map = BpfMap.create({ type: 'array', keySize: 4, valueSize: 4, maxEntries: 1 });
  failsWith('EPERM', () => map.pin(join(directory, 'x')));
  failsWith('ENOENT', () => map.pin(join(bpffs, 'no', 'such', 'directory')));
  failsWith('EPERM', () => map.pin(join(bpffs, 'with.dot')));
  map.pin(join(bpffs, 'once'));
  failsWith('EEXIST', () => map.pin(join(bpffs, 'once')));
  map.close();
});

test('unpin never removes a file that is no pin', () => {
  const file = join(temporaryDirectory(cleanup), 'precious');
  writeFileSync(file, 'data');
  failsWith('EINVAL', () => unpin(file));
  assert.ok(existsSync(file));
  failsWith('ENOENT', () => unpin(join(bpffs, 'nothing')));
});

test.run();
