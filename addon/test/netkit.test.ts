import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  attachNetkit,
  attachNetkitAsync,
  attachTc,
  BpfLink,
  type BpfObject,
  BpfProgram,
  features,
  interfaceIndex,
  listNetkit,
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
  mountBpffs,
  type Namespace,
  run,
} from './support.js';

const cleanup = new Cleanup();
const test = suite('netkit');
let object: BpfObject;
let bpffs: string;
/** The primary's namespace, and its peer's. */
let near: Namespace;
let far: Namespace;

/** Why there can be no pair here. */
function obstacle(): string | undefined {
  if (!features.netkit()) return 'this kernel has no netkit (since Linux 6.7)';
  try {
    run('unshare', '--net', 'ip', 'link', 'add', 'k0', 'type', 'netkit', 'mode', 'l2');
    return undefined;
  } catch {
    return 'the installed ip cannot make a netkit (iproute2 since 6.7)';
  }
}

const reason = obstacle();
const pairTest = (name: string, body: () => void | Promise<void>): void =>
  test(name, reason === undefined ? body : () => console.log(`SKIP ${name}: ${reason}`));

test.before(async () => {
  bpffs = mountBpffs(cleanup);
  near = makeNamespace(cleanup);
  far = makeNamespace(cleanup);
  object = openObject(compile(cleanup, 'verdicts'));
  cleanup.add(() => object.close());
  await object.load();
  if (reason === undefined) makePair();
});
test.after(() => cleanup.run());

/** What the peer sends goes nowhere without a program. */
function makePair(): void {
  const peer = `peer blackhole name k0 netns ${far.name}`;
  run('sh', '-c', `ip -n ${near.name} link add k0 type netkit mode l2 forward ${peer}`);
  for (const [i, { name }] of [near, far].entries()) {
    run('sh', '-c', `ip -n ${name} addr add 10.98.0.${i + 1}/24 dev k0 && ip -n ${name} link set k0 up`);
  }
}

const primary = (): number => interfaceIndex('k0', near.path);
const place = () => ({ ifindex: primary(), end: 'peer', netns: near.path }) as const;
const attach = (name: string, more: Partial<Parameters<typeof attachNetkit>[1]> = {}): BpfLink =>
  attachNetkit(object.program(name), { ...place(), ...more });
const order = (): number[] => listNetkit(place()).map(({ programId }) => programId);
const seen = (): number => Number(object.map('seen').typed(u32, u64).get(0));

/** Whether the peer reaches the primary. */
function pings(): boolean {
  try {
    inNamespace(far, 'ping -q -c 2 -i 0.05 -W 1 10.98.0.1');
    return true;
  } catch {
    return false;
  }
}

test('a device that is no netkit is refused, in the words of a kernel that knows netkit or does not', () => {
  const error = failsWith(features.netkit() ? 'ENXIO' : 'EINVAL', () =>
    attachNetkit(object.program('says_ok'), { ifindex: 1, end: 'peer' }),
  );
  assert.match(error.message, /^attach program says_ok to netkit of ifindex 1: /);
});

pairTest('a program decides what the peer sends, before which its policy does', () => {
  assert.is(pings(), false);
  const link = attach('says_ok');
  assert.is(link.kind, 'netkit');
  const before = seen();
  assert.is(pings(), true);
  assert.ok(seen() >= before + 2);
  link.close();
  link.close();
  assert.is(pings(), false);
});

pairTest(
  'what says UNSPEC leaves it to the next program; what nobody decides passes, whatever the policy',
  () => {
    const front = attach('says_unspec');
    const before = seen();
    assert.is(pings(), true);
    assert.ok(seen() > before);
    const last = attach('says_shot');
    assert.is(pings(), false);
    for (const link of [front, last]) link.close();
  },
);

pairTest("a program of the primary sees what the primary sends, and not the peer's", () => {
  const answers = attach('says_ok');
  const drops = attach('says_shot', { end: 'primary' });
  assert.equal([drops.info().end, answers.info().end], ['primary', 'peer']);
  assert.is(pings(), false);
  drops.close();
  assert.is(pings(), true);
  answers.close();
});

pairTest('the ifindex of a link is that of the end which transmits, in its own namespace', () => {
  const [of, by] = [attach('says_ok'), attach('says_pipe', { end: 'primary' })];
  assert.is(of.info().ifindex, interfaceIndex('k0', far.path));
  assert.is(by.info().ifindex, primary());
  for (const link of [of, by]) link.close();
});

pairTest('programs run in the order that was asked for, each once', () => {
  const id = (name: string) => object.program(name).id;
  const middle = attach('says_ok');
  const first = attach('says_unspec', { position: 'first' });
  const last = attach('says_shot', { position: { after: middle } });
  assert.equal(order(), ['says_unspec', 'says_ok', 'says_shot'].map(id));
  failsWith('EEXIST', () => attach('says_ok'));
  for (const link of [middle, first, last]) link.close();
  assert.equal(order(), []);
});

pairTest('a pinned link goes on after close(), is found again and switched over in place', () => {
  const path = join(bpffs, 'netkit');
  const link = attach('says_ok');
  link.pin(path);
  link.close();
  assert.is(pings(), true);
  const again = BpfLink.openPinned(path);
  assert.equal([again.kind, again.info().programId], ['netkit', object.program('says_ok').id]);
  again.update(object.program('says_shot'));
  assert.is(pings(), false);
  again.unpin();
  again.close();
  assert.equal(order(), []);
});

pairTest('a program is attached on another thread, also when it is closed meanwhile', async () => {
  const program = BpfProgram.fromId(object.program('says_ok').id);
  const attaching = attachNetkitAsync(program, place());
  program.close();
  const link = await attaching;
  assert.is(pings(), true);
  link.detach();
  assert.is(link.info().ifindex, 0);
  assert.is(pings(), false);
  link.close();
});

pairTest('only the primary can be named, and programs of tcx stay apart', () => {
  const peer = { ifindex: interfaceIndex('k0', far.path), end: 'peer', netns: far.path } as const;
  failsWith('EACCES', () => attachNetkit(object.program('says_ok'), peer));
  const other = attachTc(object.program('says_ok'), {
    ...{ ifindex: primary(), direction: 'ingress', netns: near.path },
  });
  assert.equal(order(), []);
  other.close();
});

pairTest('a link notices that its pair is gone', () => {
  const link = attach('says_ok');
  run('ip', '-n', near.name, 'link', 'delete', 'k0');
  assert.is(link.info().ifindex, 0);
  failsWith('ENOLINK', () => link.update(object.program('says_shot')));
  link.close();
});

test.run();
