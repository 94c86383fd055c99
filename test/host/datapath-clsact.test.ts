// kernels: every

// The datapath on clsact filters, as on kernels before 6.6, forced where there is tcx as well: what a restart finds,
// what stands beside our filters, and what is left when they go. The oracle is tc.

import { BpfMap } from 'libbpf-ts-bindings';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Datapath } from '../../src/datapath/datapath.js';
import { purge } from '../../src/datapath/purge.js';
import { addContainer, makeUnderlay, optionsIn, type TestContainer } from './support/node.js';
import { enterOwnNamespace, json, Scratch, sh, shIn } from './support/own-namespace.js';

enterOwnNamespace(import.meta.url);

const test = suite('datapath: clsact');
const scratch = new Scratch();
const options = optionsIn(scratch, { attach: 'clsact' });
let dp: Datapath;
let one: TestContainer;
let two: TestContainer;

test.before(async () => {
  makeUnderlay();
  dp = await Datapath.open(options);
  one = await addContainer(dp, scratch, 1);
  two = await addContainer(dp, scratch, 2);
});
test.after(() => {
  dp?.close();
  scratch.clean();
});

interface Filter {
  device: string;
  pref: number;
  handle: string;
  id: number;
}

/** Every filter on the ingress of these devices. */
function filters(...devices: string[]): Filter[] {
  return devices.flatMap((device) => {
    const shown = json<{ pref: number; options?: { handle: string; prog: { id: number } } }[]>(
      sh(`tc -j filter show dev ${device} ingress`),
    );
    return shown.flatMap(({ pref, options: filter }) =>
      filter ? [{ device, pref, handle: filter.handle, id: filter.prog.id }] : [],
    );
  });
}

const all = (): Filter[] => filters('u1', 'plait0p', 'plaitvx', one.hostIfname, two.hostIfname);
const reach = (): string => shIn(one.netns, `ping -n -q -c 2 -i 0.05 -W 2 ${two.ip4}`);
const linkPin = (name: string): string => `${options.bpf}/links/${name}`;

async function reopen(): Promise<void> {
  dp.close();
  dp = await Datapath.open(options);
}

/** As a frame that our programs do not want meets a filter of others behind them. */
function addForeign(device: string, place: string): void {
  sh(`tc filter add dev ${device} ingress ${place} bpf da pinned ${options.bpf}/progs/from_underlay`);
}

test('filters stand first on each device, and containers reach each other', () => {
  reach();
  assert.equal(
    all().map(({ pref, handle }) => [pref, handle]),
    Array.from({ length: 5 }, () => [1, '0x504c']),
  );
});

test('a restart adopts the filters as they are', async () => {
  const before = all();
  await reopen();
  assert.is(dp.adopted, true);
  assert.equal(all(), before);
  assert.equal(dp.links.list().length, 2);
  reach();
});

test('a filter without its pin is found by its place and not doubled', async () => {
  for (const name of ['from_underlay', one.hostIfname]) sh(`rm ${linkPin(name)}`);
  await reopen();
  await dp.links.attach(one.hostIfname, one.ifindex);
  assert.is(filters('u1').length, 1);
  assert.is(filters(one.hostIfname).length, 1);
  reach();
});

test('a pin without its filter is attached again', async () => {
  sh(`tc filter del dev u1 ingress; tc qdisc del dev ${one.hostIfname} clsact`);
  assert.is(await dp.mend(), 2);
  assert.is(all().length, 5);
  reach();
});

test('a pin that is not a whole record is replaced', async () => {
  for (const name of ['from_underlay', 'from_vxlan']) {
    sh(`rm ${linkPin(name)}`);
    const record = {
      name: 'clsact_filter',
      type: 'array',
      keySize: 4,
      valueSize: 32,
      maxEntries: 1,
    } as const;
    const map = BpfMap.create(record);
    map.pin(linkPin(name));
    map.close();
  }
  await reopen();
  assert.is(all().length, 5);
  await reopen();
  assert.is(dp.adopted, true);
  assert.is(all().length, 5);
  reach();
});

test('filters of others stay as they are when our programs change', async () => {
  addForeign('u1', 'pref 40 handle 3');
  const foreign = (): Filter[] => filters('u1').filter(({ pref }) => pref === 40);
  const before = foreign();
  dp.close();
  dp = await Datapath.open({ ...options, dropSamplesPerSecond: 12 });
  assert.is(dp.adopted, false);
  assert.equal(foreign(), before);
  assert.is(filters('u1').length, 2);
  reach();
  sh('tc filter del dev u1 ingress pref 40');
});

test('where others have our priority for another protocol, the next one is ours, again and again', async () => {
  sh(`tc filter del dev ${one.hostIfname} ingress`);
  addForeign(one.hostIfname, 'pref 1 protocol arp');
  assert.is(await dp.mend(), 1);
  const ours = (): number[] => filters(one.hostIfname).map(({ pref }) => pref);
  assert.equal(ours(), [1, 2]);
  sh(`rm ${linkPin(one.hostIfname)}`);
  await reopen();
  await dp.links.attach(one.hostIfname, one.ifindex);
  assert.equal(ours(), [1, 2]);
  reach();
});

test('an endpoint that is detached leaves the qdisc where others use it, and only there', () => {
  assert.is(dp.links.detach(one.hostIfname), true);
  assert.is(dp.links.detach(two.hostIfname), true);
  assert.equal(
    filters(one.hostIfname).map(({ pref }) => pref),
    [1],
    'the filter of others',
  );
  assert.not.match(sh(`tc qdisc show dev ${two.hostIfname}`), /clsact/);
});

test('a device that is gone takes its filter with it, and its pin is dropped', async () => {
  const three = await addContainer(dp, scratch, 3);
  sh(`ip link delete ${three.hostIfname}`);
  assert.equal(dp.links.dropStale(), [three.hostIfname]);
  assert.is(dp.links.detach(three.hostIfname), false);
});

test('leaving the machine leaves no qdisc of ours on the underlay', async () => {
  // Records were lost above, and with them who made the qdisc: that one would stay.
  sh('tc qdisc del dev u1 clsact');
  assert.is(await dp.mend(), 1);
  dp.close();
  await purge({ bpf: options.bpf, state: options.state });
  assert.not.match(sh('tc qdisc show dev u1'), /clsact/);
});

test.run();
