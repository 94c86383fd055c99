import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  attachXdp,
  attachXdpAsync,
  BpfLink,
  type BpfObject,
  BpfProgram,
  interfaceIndex,
  openObject,
  u32,
  u64,
} from '../lib/index.js';
import {
  Cleanup,
  compile,
  failsWith,
  inNamespace,
  makeVethPair,
  mountBpffs,
  type Namespace,
  run,
} from './support.js';

const cleanup = new Cleanup();
const test = suite('xdp');
let object: BpfObject;
let near: Namespace;
let far: Namespace;
let ifindex: number;

test.before(async () => {
  [near, far] = makeVethPair(cleanup);
  ifindex = interfaceIndex('v0', near.path);
  object = openObject(compile(cleanup, 'basic'));
  cleanup.add(() => object.close());
  await object.load();
});
test.after(() => cleanup.run());

/** As iproute2 shows it: mode 1 is native, 2 generic. */
function shown(device = 'v0'): { mode: number; prog: { id: number } } | undefined {
  return JSON.parse(run('ip', '-n', near.name, '-j', 'link', 'show', device))[0].xdp;
}

function countRed(): bigint {
  const values = object.map('color_counts').typedPerCpu(u32, u64).get(0) ?? [];
  return values.reduce((sum, n) => sum + n, 0n);
}

const rows: [mode: 'native' | 'generic' | 'auto', shownAs: number][] = [
  ['native', 1],
  ['generic', 2],
  ['auto', 1],
];
for (const [mode, shownAs] of rows) {
  test(`${mode} XDP on veth is what ip shows, and ends with close()`, () => {
    const link = attachXdp(object.program('pass_xdp'), { ifindex, mode, netns: near.path });
    assert.is(link.kind, 'xdp');
    assert.equal([shown()?.mode, shown()?.prog.id], [shownAs, object.program('pass_xdp').id]);
    assert.is(link.info().ifindex, ifindex);
    const before = countRed();
    inNamespace(far, 'ping -q -c 3 -i 0.01 -W 1 10.99.0.1');
    assert.ok(countRed() - before >= 3n);
    link.close();
    assert.is(shown(), undefined);
  });

  test(`${mode} XDP attached on another thread is the same, also when the program is closed meanwhile`, async () => {
    const program = BpfProgram.fromId(object.program('pass_xdp').id);
    const attaching = attachXdpAsync(program, { ifindex, mode, netns: near.path });
    program.close();
    const link = await attaching;
    assert.equal([shown()?.mode, shown()?.prog.id], [shownAs, object.program('pass_xdp').id]);
    link.close();
    assert.is(shown(), undefined);
  });
}

test('a device without native XDP says so, and generic works on it', () => {
  const lo = interfaceIndex('lo', near.path);
  const options = { ifindex: lo, netns: near.path };
  failsWith('EOPNOTSUPP', () => attachXdp(object.program('pass_xdp'), { ...options, mode: 'native' }));
  const link = attachXdp(object.program('pass_xdp'), { ...options, mode: 'generic' });
  assert.is(shown('lo')?.mode, 2);
  link.close();
});

test('one device has room for one', async () => {
  const options = { ifindex, netns: near.path };
  const program = object.program('pass_xdp');
  const link = attachXdp(program, options);
  failsWith('EBUSY', () => attachXdp(program, options));
  failsWith('EEXIST', () => attachXdp(program, { ...options, mode: 'generic' }));
  const failure = await attachXdpAsync(program, options).catch((error: unknown) => error);
  assert.is((failure as { code: string }).code, 'EBUSY');
  link.close();
});

test('a pinned XDP link is found again', () => {
  const path = join(mountBpffs(cleanup), 'xdp');
  const link = attachXdp(object.program('pass_xdp'), { ifindex, netns: near.path });
  link.pin(path);
  link.close();
  assert.ok(shown());
  const again = BpfLink.openPinned(path);
  assert.is(again.kind, 'xdp');
  again.unpin();
  again.close();
  assert.is(shown(), undefined);
});

test('wrong programs, devices and modes are refused', () => {
  const program = object.program('pass_xdp');
  failsWith('EINVAL', () => attachXdp(object.program('count_green'), { ifindex, netns: near.path }));
  failsWith('EINVAL', () => attachXdp(program, { ifindex: 0x7ffffff0, netns: near.path }));
  failsWith('EINVAL', () => attachXdp(program, { ifindex, mode: 'fast' as 'native' }));
});

test.run();
