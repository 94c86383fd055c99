// What happens to a datapath while its agent runs: links come and go, the underlay moves, the bpffs is unmounted.

import { setTimeout as sleep } from 'node:timers/promises';
import { BpfLink, BpfProgram, interfaceIndex } from 'libbpf-ts-bindings';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Datapath } from '../../src/datapath/datapath.js';
import { patience } from '../../src/patience.js';
import { addContainer, makeUnderlay, optionsIn, type TestContainer, VNI } from './support/node.js';
import { enterOwnNamespace, Scratch, sh, shIn } from './support/own-namespace.js';

enterOwnNamespace(import.meta.url);

const test = suite('datapath: live');
const scratch = new Scratch();
const options = optionsIn(scratch);
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

/** Where a link is: the device's index and the program's id. */
function linked(name: string): [number, number] {
  const link = BpfLink.openPinned(`${options.bpf}/links/${name}`);
  const { ifindex, programId } = link.info();
  link.close();
  return [ifindex, programId];
}

test('a link that was let go a moment ago can be made again', async () => {
  for (let times = 0; times < 5; times++) {
    assert.is(dp.links.detach(one.hostIfname), true);
    await dp.links.attach(one.hostIfname, one.ifindex);
  }
  shIn(one.netns, `ping -n -q -c 1 -W 2 ${two.ip4}`);
});

/** Milliseconds that the action took, and the longest in which the event loop did nothing else. */
async function timed(action: () => Promise<void>): Promise<{ took: number; blocked: number }> {
  const started = performance.now();
  let [last, blocked, runs] = [started, 0, true];
  const turn = (): void => {
    const now = performance.now();
    blocked = Math.max(blocked, now - last);
    last = now;
    if (runs) setImmediate(turn);
  };
  setImmediate(turn);
  await action();
  runs = false;
  turn();
  return { took: performance.now() - started, blocked };
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1] ?? 0;

test('attaching and detaching do not hold up the event loop', async () => {
  const names = Array.from({ length: 9 }, (_, n) => `pl0000000000${n}`);
  const attached: { took: number; blocked: number }[] = [];
  const detached: { took: number; blocked: number }[] = [];
  for (const name of names) {
    sh(`ip link add ${name} type veth peer name ${name}p`);
    const ifindex = interfaceIndex(name);
    attached.push(await timed(() => dp.links.attach(name, ifindex)));
    detached.push(await timed(async () => void dp.links.detach(name)));
    sh(`ip link delete ${name}`);
  }
  const took = median(attached.map((one) => one.took));
  const blocked = [attached, detached].map((times) => median(times.map((one) => one.blocked)));
  console.log(
    `attach: ${took.toFixed(1)} ms; blocked by attach, detach: ${blocked.map((ms) => ms.toFixed(1))} ms`,
  );
  // Most of it is the kernel's wait. Where our own work is slow, on an emulated processor, the wait is the lesser part.
  const allowed = Math.max(took / 2, patience(4));
  assert.ok(Math.max(...blocked) < allowed, `blocked for ${blocked} ms; attaching took ${took} ms`);
});

test("the host's own multicast is no drop", async () => {
  const drops = (): number => dp.drops().drops.reduce((sum, { packets }) => sum + packets, 0);
  const multicast = (): number =>
    dp.drops().events.find(({ name }) => name === 'host-multicast')?.packets ?? 0;
  const [before, seen] = [drops(), multicast()];
  const network = { vni: VNI, mtu: 1450, internal: false };
  await dp.gateway.apply([{ ...network, subnets: [{ subnet: 'fd00:77::/64', gateway: 'fd00:77::1' }] }]);
  for (let waited = 0; multicast() === seen && waited < patience(3000); waited += 20) await sleep(20);
  assert.ok(multicast() > seen, 'the kernel reports its groups');
  assert.is(drops(), before);
  await dp.gateway.apply([]);
});

test('an underlay that could not be followed is tried again', async () => {
  sh('ip link add u8 mtu 1600 type veth peer name u8p; ip link set u8 up; ip link set u8p up');
  sh('ip address delete 192.0.2.1/24 dev u1; ip address add 192.0.2.1/24 dev u8');
  sh('ip link set plaithr name plaithr2; ip link add plaithr type veth peer name stranger');
  const failure = await dp.refreshUnderlay().catch((error: unknown) => error);
  assert.is((failure as { code: string }).code, 'DEVICE_TAKEN');
  sh('ip link delete plaithr; ip link set plaithr2 name plaithr');
  assert.is(await dp.refreshUnderlay(), true);
  assert.is(dp.underlay.device, 'u8');
  sh('ip link delete u8; ip address add 192.0.2.1/24 dev u1');
  assert.is(await dp.refreshUnderlay(), true);
});

test('an agent under which the bpffs is unmounted says what to do, and the next one attaches all again', async () => {
  sh(`umount ${options.bpf}`);
  dp.links.detach(one.hostIfname);
  const failure = await dp.links.attach(one.hostIfname, one.ifindex).catch((error: unknown) => error);
  const { code, message } = failure as { code: string; message: string };
  assert.is(code, 'PINS_GONE');
  assert.is(message, `pin link: no bpffs is mounted on ${options.bpf} any more`);
  const rows = { ...dp.tables };
  const [networks, endpoints, fdb, neighbors] = [
    [...rows.networks.entries()],
    [...rows.endpoints.entries()],
    [...rows.fdb.entries()],
    [...rows.neighbors.entries()],
  ];
  dp.close();
  dp = await Datapath.open(options);
  dp.tables.networks.replace(networks);
  dp.tables.endpoints.replace(endpoints);
  dp.tables.fdb.replace(fdb);
  dp.tables.neighbors.replace(neighbors);
  for (const { hostIfname, ifindex } of [one, two]) await dp.links.attach(hostIfname, ifindex);
  shIn(one.netns, `ping -n -q -c 1 -W 2 ${two.ip4}`);
});

test('the underlay device is found again, and its program follows', async () => {
  sh('ip link add u9 mtu 1600 type veth peer name u9p; ip link set u9 up; ip link set u9p up');
  sh('ip address delete 192.0.2.1/24 dev u1; ip address add 192.0.2.1/24 dev u9');
  assert.is(await dp.refreshUnderlay(), true);
  assert.equal([dp.underlay.device, dp.underlay.innerMtu], ['u9', 1550]);
  const program = BpfProgram.openPinned(`${options.bpf}/progs/from_underlay`);
  program.close();
  assert.equal(linked('from_underlay'), [interfaceIndex('u9'), program.id]);
  assert.is(await dp.refreshUnderlay(), false);
});

test.run();
