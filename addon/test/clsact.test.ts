// What clsact filters do that tcx links do not: they share a qdisc with others, and nobody owns them but by our care.
// Runs on every kernel, since the mode is named; what tc shows is the oracle.
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type AttachTcOptions,
  attachTc,
  BpfLink,
  BpfMap,
  type BpfObject,
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
  makeNamespace,
  makeVethPair,
  mountBpffs,
  type Namespace,
} from './support.js';

const GREEN = 1;
const PINGS = 3;
const OURS = { mode: 'clsact', priority: 10, handle: 0x77, replace: true } as const;

const VERDICTS = ['unspec', 'pipe', 'ok', 'shot', 'stolen', 'trap'] as const;

const cleanup = new Cleanup();
const test = suite('clsact');
let object: BpfObject;
let others: BpfObject;
let near: Namespace;
let far: Namespace;
let bpffs: string;
let ifindex: number;

test.before(async () => {
  bpffs = mountBpffs(cleanup);
  [near, far] = makeVethPair(cleanup);
  // Without it a filter that drops would drop the answer to ARP, too, and how often that is asked depends on the machine.
  knowEachOther();
  ifindex = interfaceIndex('v0', near.path);
  object = openObject(compile(cleanup, 'basic'));
  cleanup.add(() => object.close());
  await object.load();
  others = openObject(compile(cleanup, 'verdicts'));
  cleanup.add(() => others.close());
  await others.load();
  for (const verdict of VERDICTS) others.program(`says_${verdict}`).pin(join(bpffs, verdict));
});
test.after(() => cleanup.run());
test.before.each(() => {
  const counts = object.map('color_counts');
  counts.update(u32.encode(GREEN), Buffer.alloc(counts.valueBytes));
});

function attach(options: Partial<AttachTcOptions> = {}, name = 'count_green'): BpfLink {
  const place = { ...OURS, ifindex, direction: 'ingress', netns: near.path } as const;
  return attachTc(object.program(name), { ...place, ...options });
}

const tc = (line: string): string => inNamespace(near, `tc ${line}`);
const qdisc = (): boolean => tc('qdisc show dev v0').includes('clsact');

/** Somebody else's filter, made by tc. */
function addForeign(pref: number, verdict: (typeof VERDICTS)[number], more = ''): void {
  tc(`filter add dev v0 ingress pref ${pref} ${more}bpf da pinned ${join(bpffs, verdict)}`.trim());
}

function knowEachOther(): void {
  for (const [here, there, address] of [
    [near, far, '10.99.0.2'],
    [far, near, '10.99.0.1'],
  ] as const) {
    const mac = /link\/ether (\S+)/.exec(inNamespace(there, 'ip -o link show v0'))?.[1];
    inNamespace(here, `ip neigh replace ${address} lladdr ${mac} nud permanent dev v0`);
  }
}

/** How many packets ours and the others' program see of the answers to three pings. */
async function seen(): Promise<{ ours: number; others: number }> {
  const count = (): { ours: number; others: number } => {
    const perCpu = object.map('color_counts').typedPerCpu(u32, u64).get(GREEN) ?? [];
    const theirs = others.map('seen').typed(u32, u64).get(0) ?? 0n;
    return { ours: Number(perCpu.reduce((sum, n) => sum + n, 0n)), others: Number(theirs) };
  };
  const before = count();
  try {
    inNamespace(near, `ping -q -c ${PINGS} -i 0.01 -W 1 10.99.0.2`);
  } catch {
    // A filter in front may drop them.
  }
  // A slow machine may answer when ping has stopped to wait.
  for (let left = 100; left > 0; left--) {
    const { ours, others } = count();
    if (Math.max(ours - before.ours, others - before.others) >= PINGS) break;
    await sleep(50);
  }
  const after = count();
  return { ours: after.ours - before.ours, others: after.others - before.others };
}

test('the qdisc that a link made goes with it', () => {
  assert.is(qdisc(), false);
  const link = attach();
  assert.is(qdisc(), true);
  link.close();
  assert.is(qdisc(), false);
});

test('the qdisc that a link made stays while others have filters on it, at either direction', () => {
  for (const direction of ['ingress', 'egress'] as const) {
    const link = attach();
    tc(`filter add dev v0 ${direction} pref 20 bpf da pinned ${join(bpffs, 'ok')}`);
    link.close();
    assert.is(qdisc(), true, direction);
    tc('qdisc del dev v0 clsact');
  }
});

test('of two links the last one that made it, or found it, decides', () => {
  const maker = attach();
  const guest = attach({ priority: 11 }, 'count_blue');
  maker.close();
  assert.is(qdisc(), true, 'there is a filter on it');
  guest.close();
  assert.is(qdisc(), true, 'the one that stayed last did not make it');
  tc('qdisc del dev v0 clsact');
});

test('a qdisc that was there stays without filters', () => {
  tc('qdisc add dev v0 clsact');
  attach().close();
  assert.is(qdisc(), true);
  tc('qdisc del dev v0 clsact');
});

test('the pin remembers who made the qdisc', () => {
  const path = join(bpffs, 'made');
  const link = attach();
  link.pin(path);
  link.close();
  assert.is(qdisc(), true);
  const again = BpfLink.openPinned(path, { netns: near.path });
  again.unpin();
  again.close();
  assert.is(qdisc(), false);
});

test('the qdisc goes also when tc has taken the filter away', () => {
  const link = attach();
  tc('filter del dev v0 ingress');
  assert.is(qdisc(), true);
  link.close();
  assert.is(qdisc(), false);
});

test('a failed attach leaves no qdisc behind', () => {
  failsWith('EINVAL', () => attach({}, 'pass_xdp'));
  assert.is(qdisc(), false);
});

test('an ingress qdisc will do, and stays', async () => {
  tc('qdisc add dev v0 ingress');
  const link = attach();
  assert.ok((await seen()).ours >= PINGS);
  link.close();
  assert.match(tc('qdisc show dev v0'), /ingress/);
  tc('qdisc del dev v0 ingress');
});

for (const [verdict, passes] of [
  ['unspec', true],
  ['pipe', true], // means nothing to a filter of its own kind: the kernel reads it as "unspec"
  ['ok', false],
  ['shot', false],
  ['stolen', false],
  ['trap', false],
] as const) {
  test(`a filter in front that says "${verdict}" ${passes ? 'leaves packets to' : 'keeps all from'} ours`, async () => {
    const link = attach();
    addForeign(5, verdict);
    const { ours, others: theirs } = await seen();
    assert.ok(theirs >= 3, 'it is in front');
    assert.is(ours > 0, passes);
    link.close();
    tc('qdisc del dev v0 clsact');
  });
}

test('a filter behind ours sees what ours leaves to it', async () => {
  const link = attach();
  addForeign(20, 'ok');
  const { ours, others: theirs } = await seen();
  assert.ok(ours >= 3 && theirs === ours, `ours ${ours}, others ${theirs}`);
  link.close();
  tc('qdisc del dev v0 clsact');
});

test('a priority with filters of another protocol takes none of ours', () => {
  tc('qdisc add dev v0 clsact');
  addForeign(10, 'ok', 'protocol ip ');
  failsWith('EINVAL', () => attach());
  attach({ priority: 11 }).close();
  tc('qdisc del dev v0 clsact');
});

test('two owners of one priority have a handle each', () => {
  const [one, two] = [attach(), attach({ handle: 0x78 }, 'count_blue')];
  assert.is(one.info().programId, object.program('count_green').id);
  assert.is(two.info().programId, object.program('count_blue').id);
  one.close();
  assert.is(two.info().programId, object.program('count_blue').id);
  two.close();
  tc('qdisc del dev v0 clsact');
});

test('a link whose device is gone says so, and letting go of it is quiet', () => {
  const namespace = makeNamespace(cleanup);
  inNamespace(namespace, 'ip link add gone0 type veth peer name gone1');
  const where = { ifindex: interfaceIndex('gone0', namespace.path), netns: namespace.path };
  const link = attach(where);
  const path = join(bpffs, 'gone');
  link.pin(path);
  inNamespace(namespace, 'ip link del gone0');
  assert.is(link.info().ifindex, 0);
  failsWith('ENOLINK', () => link.update(object.program('count_blue')));
  link.detach();
  link.close();
  const again = BpfLink.openPinned(path, { netns: namespace.path });
  assert.is(again.info().ifindex, 0);
  again.unpin();
  again.close();
});

test('a record that was never written is no link', () => {
  const path = join(bpffs, 'half');
  const record = BpfMap.create({
    name: 'clsact_filter',
    type: 'array',
    keySize: 4,
    valueSize: 32,
    maxEntries: 1,
  });
  record.pin(path);
  record.close();
  const error = failsWith('EINVAL', () => BpfLink.openPinned(path, { netns: near.path }));
  assert.match(error.message, /it is a map, not a link/);
});

test.run();
