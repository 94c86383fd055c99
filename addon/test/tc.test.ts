import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  attachTc,
  attachTcAsync,
  type BpfError,
  BpfLink,
  type BpfObject,
  BpfProgram,
  features,
  interfaceIndex,
  listTcx,
  openObject,
  u32,
  u64,
} from '../lib/index.js';
import {
  Cleanup,
  compile,
  failsWith,
  inNamespace,
  makeNamespace,
  makeVethPair,
  mountBpffs,
  type Namespace,
  run,
} from './support.js';

const colors = { red: 0, green: 1, blue: 2 } as const;

const cleanup = new Cleanup();
const test = suite('tc');
let object: BpfObject;
let near: Namespace;
let far: Namespace;
let bpffs: string;
let ifindex: number;

test.before(async () => {
  bpffs = mountBpffs(cleanup);
  [near, far] = makeVethPair(cleanup);
  ifindex = interfaceIndex('v0', near.path);
  object = openObject(compile(cleanup, 'basic'));
  cleanup.add(() => object.close());
  await object.load();
});
test.after(() => cleanup.run());
test.before.each(() => {
  const counts = object.map('color_counts');
  for (const color of Object.values(colors))
    counts.update(u32.encode(color), Buffer.alloc(counts.valueBytes));
});

function count(color: keyof typeof colors): number {
  const perCpu = object.map('color_counts').typedPerCpu(u32, u64).get(colors[color]) ?? [];
  return Number(perCpu.reduce((sum, n) => sum + n, 0n));
}

/** Five packets each way. */
function ping(): void {
  inNamespace(far, 'ping -q -c 5 -i 0.01 -W 1 10.99.0.1');
}

function attach(name: string, options: Partial<Parameters<typeof attachTc>[1]> = {}): BpfLink {
  return attachTc(object.program(name), { ifindex, direction: 'ingress', netns: near.path, ...options });
}

function filters(): { kind: string; options?: { bpf_name?: string; prog?: { id: number } } }[] {
  return JSON.parse(inNamespace(near, 'tc -j filter show dev v0 ingress'));
}

function order(): number[] {
  return listTcx({ ifindex, direction: 'ingress', netns: near.path }).map(({ programId }) => programId);
}

const tcx = features.tcx();
const skipped = (name: string) => () => console.log(`SKIP ${name}: this kernel has no tcx (since Linux 6.6)`);
const tcxTest = (name: string, body: () => void | Promise<void>): void =>
  test(name, tcx ? body : skipped(name));

for (const mode of ['tcx', 'clsact'] as const) {
  const modeTest = mode === 'tcx' ? tcxTest : test;

  modeTest(`a ${mode} program in another namespace sees the packets until its link is closed`, () => {
    const link = attach('count_green', { mode });
    assert.is(link.kind, mode);
    ping();
    assert.ok(count('green') >= 5);
    const { programId, direction, ifindex: where } = link.info();
    assert.equal([programId, direction, where], [object.program('count_green').id, 'ingress', ifindex]);
    link.close();
    link.close();
    const seen = count('green');
    ping();
    assert.is(count('green'), seen);
    failsWith('EBADF', () => link.info());
  });

  modeTest(`a ${mode} program on egress sees what leaves`, () => {
    const link = attach('count_green', { mode, direction: 'egress' });
    ping();
    assert.ok(count('green') >= 5);
    link.close();
  });

  modeTest(`updating a ${mode} link changes the program in place`, () => {
    const link = attach('count_green', { mode });
    link.update(object.program('count_blue'));
    ping();
    assert.equal([count('green'), count('blue') >= 5], [0, true]);
    assert.is(link.info().programId, object.program('count_blue').id);
    link.close();
  });

  modeTest(`detaching a ${mode} link leaves an object that says so`, () => {
    const link = attach('count_green', { mode });
    link.detach();
    assert.is(link.info().ifindex, 0);
    ping();
    assert.is(count('green'), 0);
    link.close();
  });

  modeTest(`a pinned ${mode} link goes on after close() and can be found again`, () => {
    const path = join(bpffs, `pinned_${mode}`);
    const link = attach('count_green', { mode });
    link.pin(path);
    link.close();
    ping();
    assert.ok(count('green') >= 5);
    const again = BpfLink.openPinned(path, { netns: near.path });
    assert.equal([again.kind, again.info().programId], [mode, object.program('count_green').id]);
    again.update(object.program('count_blue'));
    ping();
    assert.ok(count('blue') >= 5);
    again.unpin();
    again.close();
    const seen = count('blue');
    ping();
    assert.is(count('blue'), seen);
  });

  modeTest(`a ${mode} program is attached on another thread, also when it is closed meanwhile`, async () => {
    const program = BpfProgram.fromId(object.program('count_green').id);
    const attaching = attachTcAsync(program, { ifindex, direction: 'ingress', netns: near.path, mode });
    program.close();
    let turns = 0;
    let waits = true;
    setImmediate(function next() {
      turns++;
      if (waits) setImmediate(next);
    });
    const link = await attaching;
    waits = false;
    ping();
    assert.ok(count('green') >= 5);
    assert.equal([link.kind, link.info().ifindex], [mode, ifindex]);
    if (mode === 'tcx') assert.ok(turns > 0, 'the event loop went on meanwhile');
    link.close();
    const seen = count('green');
    ping();
    assert.is(count('green'), seen);
  });

  modeTest(`what goes wrong on another thread is the same error of a ${mode} link`, async () => {
    const program = object.program('count_green');
    const nowhere = { ifindex: 0x7ffffff0, direction: 'ingress', mode } as const;
    const thrown = failsWith('ENODEV', () => attachTc(program, nowhere));
    const rejected = await attachTcAsync(program, nowhere).then(
      () => assert.unreachable('there is no such device'),
      (error: unknown) => error as BpfError,
    );
    assert.equal([rejected?.code, rejected?.message], [thrown.code, thrown.message]);
    const wrong = { ...nowhere, mode: 'netkit' as 'tcx' };
    const misused = attachTcAsync(program, wrong);
    await misused.then(
      () => assert.unreachable('there is no such mode'),
      (error: BpfError) => assert.is(error.code, 'EINVAL'),
    );
  });

  modeTest(`a ${mode} link to no device is an error`, () => {
    const error = failsWith('ENODEV', () => attach('count_green', { mode, ifindex: 0x7ffffff0 }));
    assert.match(error.message, /^attach program count_green to (tcx|clsact) of ifindex 2147483632: /);
    failsWith('EINVAL', () => attach('pass_xdp', { mode }));
    failsWith('ENOENT', () => attach('count_green', { mode, netns: '/run/netns/no-such-namespace' }));
    failsWith('EINVAL', () => attach('count_green', { mode, netns: '/dev/null' }));
  });
}

tcxTest('tcx programs run in the order that was asked for', () => {
  const id = (name: string) => object.program(name).id;
  const middle = attach('count_green');
  const last = attach('count_blue');
  const first = attach('find_prefix', { position: 'first' });
  assert.equal(order(), ['find_prefix', 'count_green', 'count_blue'].map(id));
  const before = attach('emit_records', { position: { before: last } });
  const after = attach('first_of_group', { position: { after: first } });
  assert.equal(
    order(),
    ['find_prefix', 'first_of_group', 'count_green', 'emit_records', 'count_blue'].map(id),
  );
  for (const link of [before, after, first, middle, last]) link.close();
  assert.equal(order(), []);
});

tcxTest('a clsact filter is no place on a tcx hook', () => {
  const filter = attach('count_green', { mode: 'clsact' });
  const error = failsWith('EINVAL', () =>
    attach('count_blue', { mode: 'tcx', position: { before: filter } }),
  );
  assert.match(error.message, /a clsact filter is no place/);
  filter.close();
});

tcxTest('one program stands only once on a hook', () => {
  const link = attach('count_green');
  failsWith('EEXIST', () => attach('count_green'));
  link.close();
});

tcxTest('a program that drops hides the packets from the later ones', () => {
  const drops = attach('find_prefix');
  const later = attach('count_green');
  assert.throws(ping);
  assert.is(count('green'), 0);
  const earlier = attach('count_blue', { position: { before: object.program('find_prefix') } });
  assert.throws(ping);
  assert.ok(count('blue') >= 5);
  for (const link of [drops, later, earlier]) link.close();
});

tcxTest('a verdict that tcx does not know skips its other programs, not the filters', async () => {
  const others = openObject(compile(cleanup, 'verdicts'));
  cleanup.add(() => others.close());
  await others.load();
  const where = { ifindex, direction: 'ingress', netns: near.path, position: 'first' } as const;
  const hidden = attach('count_green');
  const filter = attach('count_blue', { mode: 'clsact' });
  for (const [verdict, goesOn] of [
    ['unspec', true],
    ['pipe', false],
    ['stolen', false],
  ] as const) {
    const [green, blue] = [count('green'), count('blue')];
    const front = attachTc(others.program(`says_${verdict}`), where);
    ping();
    front.close();
    assert.is(count('green') > green, goesOn, `a tcx program behind "${verdict}"`);
    assert.ok(count('blue') >= blue + 5, `a filter behind "${verdict}"`);
  }
  for (const link of [hidden, filter]) link.close();
});

test('a clsact filter is what tc shows, and the qdisc of others stays', () => {
  inNamespace(near, 'tc qdisc add dev v0 clsact');
  const link = attach('count_green', { mode: 'clsact', priority: 7, handle: 3 });
  const shown = filters().filter(({ options }) => options?.prog);
  assert.equal(
    shown.map(({ options }) => [options?.bpf_name?.slice(0, 11), options?.prog?.id]),
    [['count_green', object.program('count_green').id]],
  );
  assert.equal([link.info().priority, link.info().handle], [7, 3]);
  failsWith('EEXIST', () => attach('count_blue', { mode: 'clsact', priority: 7, handle: 3 }));
  const taken = attach('count_blue', { mode: 'clsact', priority: 7, handle: 3, replace: true });
  assert.is(link.info().programId, object.program('count_blue').id);
  taken.close();
  assert.is(filters().length, 0);
  link.close();
  assert.match(inNamespace(near, 'tc qdisc show dev v0'), /clsact/);
  inNamespace(near, 'tc qdisc del dev v0 clsact');
});

test('closing a link leaves the clsact filter that has taken its place', () => {
  const place = { mode: 'clsact', priority: 7, handle: 3 } as const;
  const link = attach('count_green', place);
  const taken = attach('count_blue', { ...place, replace: true });
  link.close();
  assert.is(taken.info().programId, object.program('count_blue').id);
  taken.update(object.program('count_green'));
  taken.close();
  assert.is(filters().length, 0);
});

test('a clsact filter that tc removed is not made again by an update', () => {
  const link = attach('count_green', { mode: 'clsact' });
  inNamespace(near, 'tc filter del dev v0 ingress');
  failsWith('ENOLINK', () => link.update(object.program('count_blue')));
  assert.is(filters().length, 0);
  link.close();
});

test('a clsact filter that tc removed is noticed, and closing it is fine', () => {
  const link = attach('count_green', { mode: 'clsact' });
  inNamespace(near, 'tc qdisc del dev v0 clsact');
  assert.equal([link.info().ifindex, link.info().programId], [0, 0]);
  link.close();
});

test('a pinned clsact filter is not looked for in the wrong namespace', () => {
  const path = join(bpffs, 'elsewhere');
  const link = attach('count_green', { mode: 'clsact' });
  link.pin(path);
  failsWith('EXDEV', () => BpfLink.openPinned(path));
  failsWith('EXDEV', () => BpfLink.openPinned(path, { netns: far.path }));
  link.unpin();
  link.close();
});

test('where no thread can be started, entering a namespace is an error and letting go of a link is quiet', () => {
  const library = new URL('../lib/index.js', import.meta.url).href;
  const program = `
    import { spawnSync } from 'node:child_process';
    import { attachTc, BpfProgram, interfaceIndex } from '${library}';
    const [id, ifindex, netns] = process.argv.slice(1);
    const options = { ifindex: Number(ifindex), direction: 'ingress', netns, mode: 'clsact' };
    const link = attachTc(BpfProgram.fromId(Number(id)), options);
    spawnSync('prlimit', ['--pid', String(process.pid), '--nproc=1']);
    process.setuid(65534);
    try { interfaceIndex('lo', netns); } catch ({ message }) { console.log(message); }
    link.close();
  `;
  const id = String(object.program('count_green').id);
  const said = run(process.execPath, '--input-type=module', '-e', program, id, String(ifindex), near.path);
  assert.is(said, 'find interface lo: cannot start a thread (EAGAIN)\n');
  inNamespace(near, 'tc filter del dev v0 ingress');
});

tcxTest('a link notices that its device is gone', () => {
  const namespace = makeNamespace(cleanup);
  inNamespace(namespace, 'ip link add gone0 type veth peer name gone1');
  const link = attachTc(object.program('count_green'), {
    ifindex: interfaceIndex('gone0', namespace.path),
    direction: 'ingress',
    netns: namespace.path,
  });
  inNamespace(namespace, 'ip link del gone0');
  assert.is(link.info().ifindex, 0);
  failsWith('ENOLINK', () => link.update(object.program('count_blue')));
  link.close();
});

test.run();
