// What a restarted agent finds and what it replaces, while two containers talk. The oracles are bpftool and tc.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Datapath } from '../../src/datapath/datapath.js';
import { purge } from '../../src/datapath/purge.js';
import { shownLink } from './support/links.js';
import { addContainer, makeUnderlay, optionsIn, type TestContainer, VNI } from './support/node.js';
import { enterOwnNamespace, json, Scratch, sh, shIn } from './support/own-namespace.js';

enterOwnNamespace(import.meta.url);

const test = suite('datapath: adopt');
const scratch = new Scratch();
const sizes = { endpoint_counters: 8 };
const options = optionsIn(scratch, { sizes });
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

interface Running {
  programs: Record<string, number>;
  /** The place of each. */
  links: Record<string, string>;
  maps: Record<string, number>;
}

/** What the kernel calls everything that is pinned, by name. */
function running(): Running {
  const pinned = <T>(directory: string, identity: (path: string) => T): Record<string, T> =>
    Object.fromEntries(
      readdirSync(`${options.bpf}/${directory}`).map((name) => [
        name,
        identity(`${options.bpf}/${directory}/${name}`),
      ]),
    );
  const idOf = (kind: string) => (path: string) =>
    json<{ id: number }>(sh(`bpftool -j ${kind} show pinned ${path}`)).id;
  return {
    programs: pinned('progs', idOf('prog')),
    links: pinned('links', (path) => shownLink(path).place),
    maps: pinned('maps', idOf('map')),
  };
}

/** Pings while `action` runs and for a while after; returns how many of how many were answered. */
async function pingDuring(action: () => Promise<void>): Promise<{ sent: number; lost: number }> {
  const argv = [`--net=${one.netns}`, 'ping', '-n', '-q', '-i', '0.002', two.ip4];
  const ping = spawn('nsenter', argv, { stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = once(ping, 'close');
  let output = '';
  ping.stdout.on('data', (text: Buffer) => {
    output += text;
  });
  try {
    await sleep(500);
    await action();
    await sleep(1000);
  } finally {
    ping.kill('SIGINT');
    await closed;
  }
  const [, sent, received] = /(\d+) packets transmitted, (\d+) received/.exec(output) ?? [];
  return { sent: Number(sent), lost: Number(sent) - Number(received) };
}

async function reopen(more: Partial<typeof options> = {}): Promise<void> {
  dp.close();
  dp = await Datapath.open({ ...options, ...more });
}

test('containers of one node reach each other over IPv4 and IPv6', () => {
  shIn(one.netns, `ping -n -q -c 1 -W 2 ${two.ip4}; ping -n -q -c 1 -W 2 fd00:10::2`);
});

test('the same object and options: nothing is touched', async () => {
  const before = running();
  await reopen();
  assert.is(dp.adopted, true);
  assert.equal(running(), before);
  assert.equal(
    dp.links
      .list()
      .map(({ ifname }) => ifname)
      .sort(),
    [one.hostIfname, two.hostIfname].sort(),
  );
});

test('other options: new programs in the same links over the same maps, and no packet is lost', async () => {
  const before = running();
  const { sent, lost } = await pingDuring(() => reopen({ dropSamplesPerSecond: 11 }));
  assert.ok(sent > 300, `only ${sent} were sent`);
  assert.is(lost, 0);
  assert.is(dp.adopted, false);
  const after = running();
  assert.equal(after.links, before.links);
  assert.is(after.maps.fdb, before.maps.fdb);
  for (const [name, id] of Object.entries(before.programs)) assert.is.not(after.programs[name], id, name);
  const { programId } = shownLink(`${options.bpf}/links/${one.hostIfname}`);
  assert.is(programId, after.programs.from_container);
});

test('another size: the map is a new one with the same rows, and no packet is lost', async () => {
  const rows = dp.tables.fdb.size;
  const before = running();
  const { lost } = await pingDuring(() => reopen({ sizes: { ...sizes, fdb: 1000 } }));
  assert.is(lost, 0);
  assert.is.not(running().maps.fdb, before.maps.fdb);
  assert.equal([dp.tables.fdb.size, dp.tables.fdb.capacity], [rows, 1000]);
});

test('flood lists move to a map of another size', async () => {
  const before = dp.flood.get(VNI);
  assert.is(before?.length, 2);
  await reopen({ sizes: { ...sizes, flood: 100 } });
  assert.equal(
    [dp.flood.get(VNI), dp.maps().find(({ name }) => name === 'flood')?.maxEntries],
    [before, 100],
  );
});

test('a map that would be too small for its rows is refused, and what runs goes on', async () => {
  const before = running();
  dp.close();
  const failure = await Datapath.open({ ...options, sizes: { ...sizes, fdb: 1 } }).catch(
    (error: unknown) => error,
  );
  dp = await Datapath.open(options);
  const { code, message } = failure as { code: string; message: string };
  assert.is(code, 'MAP_TOO_SMALL');
  assert.is(message, 'give map fdb 1 rows: 2 rows are in use');
  assert.is(dp.tables.fdb.size, 2);
  assert.equal(running().links, before.links);
});

test('a size for a map that does not exist is refused; counters follow what they count', async () => {
  const failure = await Datapath.open({ ...options, sizes: { endpoint: 9 } }).catch(
    (error: unknown) => error,
  );
  assert.is((failure as Error).message, 'size map endpoint: no such map');
  await reopen({ sizes: { vteps: 5000 } });
  assert.is(dp.maps().find(({ name }) => name === 'vtep_counters')?.maxEntries, 5000);
  await reopen();
});

test('an endpoint whose slot is beyond a smaller map of counters gets another', async () => {
  const row = dp.tables.endpoints.get(one.ifindex);
  assert.ok(row);
  dp.tables.endpoints.apply([[one.ifindex, { ...row, slot: 7 }]]);
  await reopen({ sizes: { endpoint_counters: 4 } });
  const slot = dp.slots.of(one.ifindex);
  assert.ok(slot < 4 && slot !== dp.slots.of(two.ifindex), `slot ${slot}`);
  dp.tables.endpoints.apply([[one.ifindex, row]]);
  await reopen();
});

test('an upgrade that was killed half way is finished by the next start', async () => {
  dp.close();
  sh(`rm ${options.bpf}/maps/rodata ${options.bpf}/progs/from_host`);
  dp = await Datapath.open(options);
  assert.is(dp.adopted, false);
  shIn(one.netns, `ping -n -q -c 1 -W 2 ${two.ip4}`);
  await reopen();
  assert.is(dp.adopted, true);
});

test('a map of another layout, as another version leaves it, is replaced by an empty one', async () => {
  const networks = [...dp.tables.networks.entries()];
  dp.close();
  const pin = `${options.bpf}/maps/networks`;
  sh(`rm ${pin}; bpftool map create ${pin} type hash key 4 value 8 entries 16 name networks`);
  dp = await Datapath.open(options);
  assert.equal([dp.adopted, dp.tables.networks.size, dp.tables.networks.capacity], [false, 0, 4096]);
  dp.tables.networks.apply(networks);
  shIn(one.netns, `ping -n -q -c 1 -W 2 ${two.ip4}`);
});

test('an object that is missing is said so, and what runs goes on', async () => {
  const before = running();
  const failure = await Datapath.open({ ...options, objectPath: '/no/such.o' }).catch(
    (error: unknown) => error,
  );
  const { code, message } = failure as { code: string; message: string };
  assert.is(code, 'NO_OBJECT');
  assert.is(message, 'open datapath /no/such.o: no such file');
  assert.equal(running(), before);
});

test('the pin of a host end that is gone is dropped', async () => {
  const three = await addContainer(dp, scratch, 3);
  dp.close();
  sh(`ip link delete ${three.hostIfname}`);
  dp = await Datapath.open(options);
  assert.not(existsSync(`${options.bpf}/links/${three.hostIfname}`));
  dp.tables.endpoints.apply([], [three.ifindex]);
  dp.slots.release(three.ifindex);
});

test('counters follow the endpoint through a restart', async () => {
  const before = dp.endpointTraffic(one.ifindex);
  await reopen();
  shIn(one.netns, `ping -n -q -c 5 -i 0.01 -W 2 ${two.ip4}`);
  const after = dp.endpointTraffic(one.ifindex);
  const packets = (after?.txPackets ?? 0) - (before?.txPackets ?? 0);
  assert.ok(packets >= 5 && packets <= 8, `${packets} packets: the pings, and perhaps a neighbour probe`);
  const bytes = (after?.txBytes ?? 0) - (before?.txBytes ?? 0);
  assert.ok(bytes >= 5 * (14 + 20 + 8 + 56), `${bytes} bytes`);
});

test('a slot that is used again counts from zero', async () => {
  const four = await addContainer(dp, scratch, 4);
  shIn(four.netns, `ping -n -q -c 3 -i 0.01 -W 2 ${two.ip4}`);
  assert.ok((dp.endpointTraffic(four.ifindex)?.txPackets ?? 0) >= 3);
  const slot = dp.slots.of(four.ifindex);
  dp.links.detach(four.hostIfname);
  dp.tables.endpoints.apply([], [four.ifindex]);
  dp.slots.release(four.ifindex);
  let stranger = 1_000_000;
  while (dp.slots.of(stranger) !== slot) stranger++;
  assert.is(dp.endpointTraffic(stranger)?.txPackets, 0);
  for (; stranger >= 1_000_000; stranger--) dp.slots.release(stranger);
});

test('slots of endpoints that vanished while no agent ran are found when they are needed', async () => {
  const five = await addContainer(dp, scratch, 5);
  dp.close();
  sh(`ip link delete ${five.hostIfname}`);
  dp = await Datapath.open({ ...options, sizes });
  dp.tables.endpoints.apply([], [five.ifindex]);
  const free = sizes.endpoint_counters - dp.tables.endpoints.size;
  const slots = Array.from({ length: free }, (_, n) => dp.slots.of(2_000_000 + n));
  assert.is(new Set(slots).size, free);
  assert.throws(() => dp.slots.of(3_000_000), /this node has 8 already/);
  for (let n = 0; n < free; n++) dp.slots.release(2_000_000 + n);
});

test('purge leaves the machine as it was', async () => {
  await dp.gateway.apply([
    { vni: VNI, mtu: 1450, internal: false, subnets: [{ subnet: '10.10.0.0/24', gateway: '10.10.0.254' }] },
  ]);
  dp.close();
  await purge(options);
  const links = json<{ ifname: string }[]>(sh('ip -j link show')).map(({ ifname }) => ifname);
  assert.equal(links.sort(), ['lo', 'u1', 'u1p']);
  assert.is(sh('nft list ruleset'), '');
  assert.not(existsSync(options.bpf));
  assert.not.match(shIn(one.netns, 'ip -o link'), /eth0/);
  assert.is(sh('ip -4 route show dev u1 | wc -l'), '1');
  await purge(options);
});

test.run();
