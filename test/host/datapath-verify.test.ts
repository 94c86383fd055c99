// verify asks the kernel, not memory: everything here is broken behind the datapath's back, with bpftool and ip.
// Drops are counted and shown, with a spoofed packet from a container as the example.

import { setTimeout as sleep } from 'node:timers/promises';
import { BpfLink, BpfProgram } from 'libbpf-ts-bindings';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Datapath } from '../../src/datapath/datapath.js';
import type { DropSample } from '../../src/datapath/drops.js';
import type { DesiredState } from '../../src/datapath/verify.js';
import type { DifferenceAnswer } from '../../src/model/api.js';
import { patience } from '../../src/patience.js';
import { addContainer, makeUnderlay, optionsIn, type TestContainer, VNI } from './support/node.js';
import { enterOwnNamespace, Scratch, sh, shIn } from './support/own-namespace.js';

enterOwnNamespace(import.meta.url);

const test = suite('datapath: verify and drops');
const scratch = new Scratch();
const options = optionsIn(scratch);
let dp: Datapath;
let one: TestContainer;
let desired: DesiredState;

test.before(async () => {
  makeUnderlay();
  dp = await Datapath.open(options);
  one = await addContainer(dp, scratch, 1);
  await addContainer(dp, scratch, 2);
  dp.vteps.index('192.0.2.2');
  await dp.vteps.routeNew();
  const { tables } = dp;
  desired = {
    endpoints: [...tables.endpoints.entries()],
    fdb: [...tables.fdb.entries()],
    neighbors: [...tables.neighbors.entries()],
    networks: [...tables.networks.entries()],
    subnets: [],
    senders: [],
    flood: [[VNI, dp.flood.get(VNI) ?? []]],
    vteps: ['192.0.2.2'],
    links: dp.links.list(),
    gateways: [],
  };
  await dp.gateway.apply([]);
});
test.after(() => {
  dp?.close();
  scratch.clean();
});

async function differences(): Promise<DifferenceAnswer[]> {
  return (await dp.verify(desired)).differences;
}

const FDB_ONE = '0x00 0x10 0x00 0x00 0x02 0x00 0x00 0x00 0x00 0x01 0x00 0x00';
const FDB_NINE = '0x00 0x10 0x00 0x00 0x02 0x00 0x00 0x00 0x00 0x09 0x00 0x00';

test('a node as it should be has no differences, and everything was looked at', async () => {
  const { checked, differences } = await dp.verify(desired);
  assert.equal(differences, []);
  assert.equal(checked, {
    endpoints: 2,
    fdb: 2,
    neighbors: 4,
    networks: 1,
    subnets: 0,
    senders: 0,
    flood: 1,
    vteps: 1,
    links: 5,
    devices: 4,
    gateways: 0,
  });
});

test('rows that were deleted, added and changed are named, and replace mends them', async () => {
  const map = `pinned ${options.bpf}/maps/fdb`;
  sh(`bpftool map update ${map} key ${FDB_ONE} value 0x63 0 0 0 0 0 0 0`);
  sh(`bpftool map update ${map} key ${FDB_NINE} value 0x63 0 0 0 0 0 0 0`);
  assert.equal(await differences(), [
    {
      table: 'fdb',
      key: 'vni 4096 mac 02:00:00:00:00:01',
      problem: 'different',
      expected: `ifindex ${one.ifindex} slot 0`,
      actual: 'ifindex 99 slot 0',
    },
    {
      table: 'fdb',
      key: 'vni 4096 mac 02:00:00:00:00:09',
      problem: 'extra',
      expected: null,
      actual: 'ifindex 99 slot 0',
    },
  ]);
  sh(`bpftool map delete ${map} key ${FDB_ONE}`);
  const [missing] = await differences();
  assert.equal([missing?.problem, missing?.actual], ['missing', null]);
  dp.tables.fdb.replace(desired.fdb);
  assert.equal(await differences(), []);
});

test('a flood list that was lost is found', async () => {
  sh(`bpftool map delete pinned ${options.bpf}/maps/flood key 0 0x10 0 0`);
  const [found] = await differences();
  assert.equal([found?.table, found?.key, found?.problem], ['flood', 'vni 4096', 'missing']);
  dp.flood.replace(desired.flood);
  assert.equal(await differences(), []);
});

test('a VTEP row that was overwritten is found', async () => {
  const zero = Array.from({ length: 64 }, () => '0').join(' ');
  sh(`bpftool map update pinned ${options.bpf}/maps/vteps key 1 0 0 0 value ${zero}`);
  const [found] = await differences();
  assert.equal([found?.table, found?.key, found?.problem], ['vteps', '192.0.2.2', 'missing']);
  await dp.vteps.refresh();
  assert.equal(await differences(), [], 'and mended by the next look at the routes');
});

test('a full compare mends what others did to tables and flood lists', async () => {
  sh(`bpftool map delete pinned ${options.bpf}/maps/fdb key ${FDB_ONE}`);
  sh(`bpftool map delete pinned ${options.bpf}/maps/flood key 0 0x10 0 0`);
  assert.is(dp.tables.fdb.replace(desired.fdb).written, 1);
  assert.is(dp.flood.replace(desired.flood).written, 1);
  assert.equal(await differences(), []);
});

// Nothing differs any more once it was taken back, so nothing is written that would make the programs forget.
test('what the programs remember of a row that others wrote and took back is gone with the next full compare', async () => {
  // On one CPU, for each has its own memory.
  const ping =
    'ip neighbour flush dev eth0; taskset -c 0 ping -n -q -c 1 -W 1 10.10.0.2 >&2 && echo answered || echo lost';
  const key = [0, 8, 16, 24].map((shift) => (one.ifindex >> shift) & 0xff).join(' ');
  assert.is(shIn(one.netns, ping), 'answered');
  sh(`bpftool map delete pinned ${options.bpf}/maps/endpoints key ${key}`);
  assert.is(shIn(one.netns, ping), 'answered', 'the row is remembered: the precondition');
  await dp.mend();
  assert.is(shIn(one.netns, ping), 'lost');
  assert.is(dp.tables.endpoints.replace(desired.endpoints).written, 1);
  assert.is(shIn(one.netns, ping), 'answered');
});

test('links that were detached, and a device that is down, are found; a full compare attaches them', async () => {
  sh(
    `rm ${options.bpf}/links/${one.hostIfname} ${options.bpf}/links/from_underlay; ip link set plaitvx down`,
  );
  const found = await differences();
  assert.equal(
    found.map(({ table, key, problem }) => `${table} ${key} ${problem}`),
    ['links from_underlay missing', `links ${one.hostIfname} missing`, 'devices plaitvx different'],
  );
  sh('ip link set plaitvx up');
  assert.is(await dp.mend(), 2);
  assert.equal(await differences(), []);
  assert.is(await dp.mend(), 0);
});

test('a link that runs another program is found', async () => {
  const link = BpfLink.openPinned(`${options.bpf}/links/${one.hostIfname}`);
  const vxlan = BpfProgram.openPinned(`${options.bpf}/progs/from_vxlan`);
  try {
    link.update(vxlan);
    const [found] = await differences();
    assert.equal([found?.table, found?.key, found?.problem], ['links', one.hostIfname, 'different']);
    assert.is(found?.actual, `ifindex ${one.ifindex} program ${vxlan.id}`);
    assert.is(await dp.mend(), 1);
    assert.equal(await differences(), []);
  } finally {
    for (const item of [link, vxlan]) item.close();
  }
});

test('a packet with a foreign source is dropped, counted under its reason and shown with its addresses', async () => {
  const count = (): number => dp.drops().drops.find(({ name }) => name === 'spoofed-ip')?.packets ?? 0;
  const samples: DropSample[] = []; // what earlier tests lost is in the ring, too
  const sample = (): DropSample | undefined => samples.find(({ reason }) => reason === 'spoofed-ip');
  shIn(one.netns, 'ping -n -q -c 1 -W 2 10.10.0.2'); // or ARP would be what is dropped
  const before = count();
  const follower = dp.followDrops((drop) => samples.push(drop));
  try {
    shIn(
      one.netns,
      'ip address add 10.10.0.77/32 dev eth0; ping -n -q -c 1 -W 1 -I 10.10.0.77 10.10.0.2 || true',
    );
    for (let waited = 0; sample() === undefined && waited < patience(2000); waited += 20) await sleep(20);
  } finally {
    follower.close();
    shIn(one.netns, 'ip address delete 10.10.0.77/32 dev eth0');
  }
  assert.is(count(), before + 1);
  assert.is(sample()?.hook, 'from_container');
  assert.equal([sample()?.ifname, sample()?.vni, sample()?.length], [one.hostIfname, VNI, 98]);
  assert.match(sample()?.summary ?? '', '10.10.0.77 > 10.10.0.2 icmp type 8 code 0');
  assert.ok(Math.abs(Date.now() - Date.parse(sample()?.time ?? '')) < 10_000);
});

test('maps are listed with their fill', () => {
  const endpoints = dp.maps().find(({ name }) => name === 'endpoints');
  assert.equal(endpoints, { name: 'endpoints', type: 'hash', entries: 2, maxEntries: 4096 });
  assert.is(dp.maps().find(({ name }) => name === 'drop_events')?.maxEntries, null);
});

test.run();
