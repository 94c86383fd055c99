// kernels: every

// underlay_filter on a device: asked for, refused, taken over, moved and taken off. iproute2 and bpftool are the oracles,
// frames come out of the other end of a veth, where `auto` would not go.

import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { attachXdp, type BpfLink, type BpfObject, interfaceIndex, openObject } from 'libbpf-ts-bindings';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Datapath, type DatapathOptions } from '../../src/datapath/datapath.js';
import { OBJECT_PATH } from '../../src/datapath/loader.js';
import { purge } from '../../src/datapath/purge.js';
import { type Frame, strangeVxlan } from './support/frames.js';
import { makeUnderlay, optionsIn } from './support/node.js';
import { enterOwnNamespace, json, Scratch, sh } from './support/own-namespace.js';

enterOwnNamespace(import.meta.url);

const RAW = fileURLToPath(new URL('../../../test/host/support/raw.py', import.meta.url));

const test = suite('datapath: xdp');
const scratch = new Scratch();
const options = optionsIn(scratch);
const pin = `${options.bpf}/links/underlay_filter`;
let dp: Datapath;
let stranger: BpfObject;

test.before(async () => {
  makeUnderlay();
  dp = await Datapath.open(options);
  stranger = openObject(OBJECT_PATH);
  await stranger.load();
});
test.after(() => {
  stranger?.close();
  dp?.close();
  scratch.clean();
});

async function reopen(more: Partial<DatapathOptions>): Promise<void> {
  dp.close();
  dp = await Datapath.open({ ...options, ...more });
}

interface Shown {
  mode: number;
  prog: { id: number };
}

/** Mode 1 is native, 2 generic. */
const shown = (device = 'u1'): Shown | undefined =>
  json<{ xdp?: Shown }[]>(sh(`ip -j -d link show ${device}`))[0]?.xdp;

const linkId = (): number => json<{ id: number }>(sh(`bpftool -j link show pinned ${pin}`)).id;

const pinned = (name: string): number =>
  json<{ id: number }>(sh(`bpftool -j prog show pinned ${options.bpf}/progs/${name}`)).id;

const programId = (): number => pinned('underlay_filter');

/** How counters of that name grew, by frames from the other end. */
function grownBy(frame: Frame, count: number, from = 'u1p', to = 'u1'): Record<string, number> {
  const read = (): Map<string, number> => {
    const { drops, events } = dp.drops();
    return new Map([...drops, ...events].map(({ name, packets }) => [name, packets]));
  };
  const before = read();
  const mac = json<{ address: string }[]>(sh(`ip -j link show ${to}`))[0]?.address ?? '';
  const bytes = frame(mac).toString('hex');
  execFileSync('python3', [RAW, 'frame', from, bytes, `${count}`]);
  const grown = [...read()].map(([name, now]) => [name, now - (before.get(name) ?? 0)] as const);
  return Object.fromEntries(grown.filter(([, growth]) => growth > 0));
}

test('auto does not go to a veth, says why, and from_underlay drops what is bad', () => {
  const { option, mode, reason } = dp.xdp.state;
  assert.equal([option, mode], ['auto', null]);
  assert.match(reason ?? '', /u1 is a veth: .*TSO/);
  assert.is(shown(), undefined);
  assert.equal(grownBy(strangeVxlan, 20), { 'unknown-vni': 20 });
});

test('native goes there, and each bad frame is counted once, by XDP', async () => {
  await reopen({ xdp: 'native' });
  assert.is(dp.adopted, true);
  assert.equal(dp.xdp.state, { option: 'native', mode: 'native', reason: null });
  assert.equal([shown()?.mode, shown()?.prog.id], [1, programId()]);
  assert.equal(grownBy(strangeVxlan, 20), { 'unknown-vni': 20, filtered: 20 });
});

test('the next agent finds it, and new programs take its place in the same link', async () => {
  const [before, id] = [programId(), linkId()];
  await reopen({ xdp: 'native' });
  assert.equal([programId(), linkId(), dp.adopted], [before, id, true]);
  await reopen({ xdp: 'native', dropSamplesPerSecond: 11 });
  assert.equal([linkId(), dp.adopted], [id, false]);
  assert.is.not(programId(), before);
  assert.is(shown()?.prog.id, programId());
  assert.equal(grownBy(strangeVxlan, 5), { 'unknown-vni': 5, filtered: 5 });
});

test('another option is another mode, and off takes it off', async () => {
  await reopen({ xdp: 'generic' });
  assert.equal([dp.xdp.state.mode, shown()?.mode], ['generic', 2]);
  assert.equal(grownBy(strangeVxlan, 5), { 'unknown-vni': 5, filtered: 5 });
  await reopen({ xdp: 'native' });
  assert.equal([dp.xdp.state.mode, shown()?.mode], ['native', 1]);
  await reopen({ xdp: 'off' });
  assert.equal(dp.xdp.state, { option: 'off', mode: null, reason: 'as it was asked for' });
  assert.is(shown(), undefined);
  await reopen({ xdp: 'native' });
  await reopen({ xdp: 'auto' });
  assert.is(shown(), undefined);
});

test('deliver is refused on a veth, whose frames have no checksums; where they have, it takes the filter’s place', async () => {
  await reopen({ xdp: 'native' });
  await reopen({ xdp: 'deliver' });
  assert.equal([dp.xdp.state.option, dp.xdp.state.mode], ['deliver', null]);
  assert.match(dp.xdp.state.reason ?? '', /u1 is a veth: .*checksums/);
  assert.is(shown(), undefined);
  for (const before of ['off', 'native', 'generic'] as const) {
    await reopen({ xdp: before });
    await reopen({ xdp: 'deliver', deliverOnVeth: true });
    assert.equal(dp.xdp.state, { option: 'deliver', mode: 'native', reason: null }, before);
    assert.equal([shown()?.mode, shown()?.prog.id], [1, pinned('underlay_deliver')], before);
  }
  assert.equal(grownBy(strangeVxlan, 5), { 'unknown-vni': 5, filtered: 5 });
  await dp.gateway.apply([]);
  const { id } = shown()?.prog ?? {};
  await reopen({ xdp: 'deliver', deliverOnVeth: true });
  assert.is(shown()?.prog.id, id, 'the next agent finds it');
  assert.equal((await dp.verify(nothing)).differences, []);
  sh(`bpftool link detach pinned ${options.bpf}/links/underlay_deliver`);
  assert.equal(
    (await dp.verify(nothing)).differences.map(({ key }) => key),
    ['underlay_deliver'],
  );
  assert.is(await dp.mend(), 1);
  assert.is(shown()?.prog.id, pinned('underlay_deliver'));
  await reopen({ xdp: 'native' });
  assert.equal([shown()?.mode, shown()?.prog.id], [1, pinned('underlay_filter')]);
  assert.equal(
    sh(`ls ${options.bpf}/links`)
      .split('\n')
      .filter((name) => name.startsWith('underlay')),
    ['underlay_filter'],
  );
});

const nothing = {
  ...{ endpoints: [], fdb: [], neighbors: [], networks: [], subnets: [], senders: [], flood: [] },
  ...{ vteps: [], links: [], gateways: [] },
};

test('what somebody detaches, or unpins, is seen by verify and mended', async () => {
  await reopen({ xdp: 'native' });
  await dp.gateway.apply([]);
  assert.equal((await dp.verify(nothing)).differences, []);
  for (const harm of [`bpftool link detach pinned ${pin}`, `rm ${pin}`]) {
    sh(harm);
    const [difference, ...more] = (await dp.verify(nothing)).differences;
    assert.equal([difference?.table, difference?.key, more], ['links', 'underlay_filter', []], harm);
    assert.is(await dp.mend(), 1, harm);
    assert.is(shown()?.prog.id, programId(), harm);
    assert.equal((await dp.verify(nothing)).differences, []);
  }
  assert.is(await dp.mend(), 0);
});

// Each attachment and detachment is itself a change of the device, which the agent hears of and follows.
test('mending while the device is followed attaches it once, and nobody takes it for somebody else’s', async () => {
  for (const harm of [`bpftool link detach pinned ${pin}`, `rm ${pin}`]) {
    sh(harm);
    await Promise.all([dp.xdp.mend(), dp.xdp.follow(dp.underlay)]);
    assert.equal(dp.xdp.state, { option: 'native', mode: 'native', reason: null }, harm);
    assert.equal([shown()?.mode, shown()?.prog.id], [1, programId()], harm);
    assert.equal((await dp.verify(nothing)).differences, [], harm);
  }
});

for (const mode of ['native', 'generic'] as const) {
  test(`somebody else's ${mode} program stays; when it goes, ours comes`, async () => {
    await reopen({ xdp: 'off' });
    const program = stranger.program('underlay_filter');
    const theirs: BpfLink = attachXdp(program, { ifindex: interfaceIndex('u1'), mode });
    await reopen({ xdp: 'native' });
    assert.is(dp.xdp.state.mode, null);
    assert.is(dp.xdp.state.reason, `u1 has another XDP program (id ${program.id}), which stays`);
    assert.is(shown()?.prog.id, program.id);
    await dp.gateway.apply([]);
    assert.equal((await dp.verify(nothing)).differences, []);
    assert.is(await dp.mend(), 0);
    assert.equal(grownBy(strangeVxlan, 5), { 'unknown-vni': 5 });
    theirs.close();
    assert.is(await dp.mend(), 1);
    assert.equal([dp.xdp.state.mode, shown()?.prog.id], ['native', programId()]);
  });
}

test('the device gets another MAC: its frames are still ours', async () => {
  sh('ip link set u1 address 02:00:00:00:77:77');
  assert.equal(grownBy(strangeVxlan, 5), { 'unknown-vni': 5 });
  assert.is(await dp.refreshUnderlay(), false);
  assert.equal(grownBy(strangeVxlan, 5), { 'unknown-vni': 5, filtered: 5 });
});

test('it follows the underlay to another device', async () => {
  sh('ip link add u9 type veth peer name u9p; ip link set u9 up; ip link set u9p up');
  sh('ip address delete 192.0.2.1/24 dev u1; ip address add 192.0.2.1/24 dev u9');
  await dp.refreshUnderlay();
  assert.is(shown(), undefined);
  assert.equal([shown('u9')?.mode, shown('u9')?.prog.id], [1, programId()]);
  assert.equal(grownBy(strangeVxlan, 5, 'u9p', 'u9'), { 'unknown-vni': 5, filtered: 5 });
});

test('a device whose driver has no native XDP is told, and generic works on it', async () => {
  sh('ip link add br0 type bridge; ip link set u1 master br0; ip link set br0 up');
  sh('ip address delete 192.0.2.1/24 dev u9; ip address add 192.0.2.1/24 dev br0');
  await dp.refreshUnderlay();
  assert.equal(dp.xdp.state, {
    ...{ option: 'native', mode: null },
    reason: 'the kind of device (bridge) of br0 has no native XDP',
  });
  assert.is(shown('u9'), undefined);
  assert.is(await dp.mend(), 0);
  assert.equal(grownBy(strangeVxlan, 5, 'u1p', 'br0'), { 'unknown-vni': 5 });
  await reopen({ xdp: 'auto' });
  assert.is(dp.xdp.state.mode, null);
  await reopen({ xdp: 'generic' });
  assert.is(shown('br0')?.mode, 2);
  assert.equal(grownBy(strangeVxlan, 5, 'u1p', 'br0'), { 'unknown-vni': 5, filtered: 5 });
});

test('leaving takes it off, whatever mode it has', async () => {
  dp.close();
  await purge({ bpf: options.bpf, state: options.state });
  for (const device of ['u1', 'u9', 'br0']) assert.is(shown(device), undefined);
});

test.run();
