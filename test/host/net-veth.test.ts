// A container's interface: made whole or not at all. The oracle is `ip -j` in both namespaces.
// timeout: 120 s

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ensureDevices } from '../../src/net/devices.js';
import { createVeth, deleteVeth, hostIfname, listVeths, type VethSpec } from '../../src/net/veth.js';
import { enterOwnNamespace, json, Scratch, sh, shIn } from './support/own-namespace.js';

enterOwnNamespace(import.meta.url);

const test = suite('net: veth');
const scratch = new Scratch();
let count = 0;

test.before(async () => {
  await ensureDevices(4789, 1450);
});
test.after(() => scratch.clean());
test.after.each(async () => {
  for (const { ifname } of await listVeths()) await deleteVeth(ifname);
});

function spec(netns: string, more: Partial<VethSpec> = {}): VethSpec {
  count++;
  return {
    hostIfname: hostIfname(`endpoint ${count}`),
    ifname: 'eth0',
    netns,
    mac: '02:00:00:00:00:09',
    mtu: 1450,
    addresses: ['10.10.0.2/24', 'fd00:10::2/64'],
    linkLocal: 'fe80::ff:fe00:9',
    gateways: ['10.10.0.1', 'fd00:10::1'],
    ...more,
  };
}

interface Shown {
  ifname: string;
  ifindex: number;
  address: string;
  mtu: number;
  master?: string;
  flags: string[];
  addr_info: { local: string; prefixlen: number; scope: string; tentative?: boolean }[];
}

function addressesOf(netns: string, ifname: string): Shown {
  return json<Shown[]>(shIn(netns, `ip -j address show dev ${ifname}`))[0] as Shown;
}

function defaultRoutes(netns: string): string[] {
  return shIn(netns, 'ip route show default; ip -6 route show default').split('\n').filter(Boolean);
}

test('the container has its MAC, MTU, addresses and default routes, at once and without detection', async () => {
  const netns = scratch.namespace('whole');
  const wanted = spec(netns);
  await createVeth(wanted);
  const eth0 = addressesOf(netns, 'eth0');
  assert.is(eth0.address, '02:00:00:00:00:09');
  assert.is(eth0.mtu, 1450);
  assert.ok(eth0.flags.includes('LOWER_UP'));
  assert.equal(eth0.addr_info.map(({ local, prefixlen, scope }) => `${local}/${prefixlen} ${scope}`).sort(), [
    '10.10.0.2/24 global',
    'fd00:10::2/64 global',
    'fe80::ff:fe00:9/64 link',
  ]);
  assert.not(eth0.addr_info.some(({ tentative }) => tentative));
  assert.ok(addressesOf(netns, 'lo').flags.includes('UP'));
  const [v4, v6] = defaultRoutes(netns);
  assert.match(v4 ?? '', /^default via 10\.10\.0\.1 dev eth0/);
  assert.match(v6 ?? '', /^default via fd00:10::1 dev eth0/);
});

test('the host end is a port of the headroom bridge, up, without addresses, with the returned ifindex', async () => {
  const wanted = spec(scratch.namespace('host'));
  const ifindex = await createVeth(wanted);
  const [host] = json<Shown[]>(sh(`ip -j address show dev ${wanted.hostIfname}`));
  assert.is(host?.ifindex, ifindex);
  assert.is(host?.master, 'plaithr');
  assert.ok(host?.flags.includes('UP'));
  assert.equal(host?.addr_info, []);
  assert.equal(await listVeths(), [{ ifname: wanted.hostIfname, ifindex }]);
});

test('a second network in one namespace adds no second default route', async () => {
  const netns = scratch.namespace('two');
  await createVeth(spec(netns));
  await createVeth(spec(netns, { ifname: 'eth1', addresses: ['10.20.0.2/24'], gateways: ['10.20.0.1'] }));
  assert.is(defaultRoutes(netns).length, 2);
  assert.match(shIn(netns, 'ip route show 10.20.0.0/24'), /dev eth1/);
});

test('a namespace with IPv6 switched off gets it on that interface, as Docker containers need', async () => {
  const netns = scratch.namespace('v6off');
  shIn(netns, 'echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6');
  await createVeth(spec(netns));
  assert.ok(addressesOf(netns, 'eth0').addr_info.some(({ local }) => local === 'fd00:10::2'));
  assert.is(shIn(netns, 'cat /proc/sys/net/ipv6/conf/lo/disable_ipv6'), '1');
});

test('an IPv4 network leaves IPv6 off where it is off', async () => {
  const netns = scratch.namespace('v4only');
  shIn(netns, 'echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6');
  await createVeth(spec(netns, { addresses: ['10.10.0.2/24'], gateways: ['10.10.0.1'] }));
  assert.is(shIn(netns, 'cat /proc/sys/net/ipv6/conf/eth0/disable_ipv6'), '1');
});

async function failureOf(wanted: VethSpec): Promise<{ code?: string; message: string }> {
  try {
    await createVeth(wanted);
  } catch (error) {
    return error as { code?: string; message: string };
  }
  return assert.unreachable('it was created') as never;
}

test('a name that is taken inside is named, and nothing is left', async () => {
  const netns = scratch.namespace('taken');
  await createVeth(spec(netns));
  const failure = await failureOf(spec(netns));
  assert.is(failure.code, 'INTERFACE_EXISTS');
  assert.is(failure.message, `create interface eth0 in ${netns}: the name is taken there`);
  assert.is((await listVeths()).length, 1);
});

test('a host end that exists is named', async () => {
  const first = spec(scratch.namespace('first'));
  await createVeth(first);
  const second = spec(scratch.namespace('second'), { hostIfname: first.hostIfname });
  const failure = await failureOf(second);
  assert.is(failure.message, `create interface ${first.hostIfname}: exists already on this host`);
});

test('a failure half way leaves no interface on either side', async () => {
  const netns = scratch.namespace('half');
  const failure = await failureOf(spec(netns, { gateways: ['192.0.2.99'] }));
  assert.match(
    failure.message,
    new RegExp(`^set up interface eth0 in ${netns}: .*(unreachable|invalid gateway)`),
  );
  assert.equal(await listVeths(), []);
  assert.not.match(shIn(netns, 'ip -o link'), /eth0/);
});

test('a namespace that is missing is an error, and nothing is left', async () => {
  const failure = await failureOf(spec('/run/netns/pt-no-such'));
  assert.match(failure.message, /pt-no-such/);
  assert.equal(await listVeths(), []);
});

test('a name that would change the meaning of a batch is refused before anything is done', async () => {
  const netns = scratch.namespace('words');
  for (const ifname of ['eth#0', 'eth"0', "eth'0", 'eth\\0']) {
    assert.is((await failureOf(spec(netns, { ifname }))).code, 'INVALID_INPUT', ifname);
  }
  assert.equal(await listVeths(), []);
  assert.not.match(sh('ip -br link'), /^eth/m);
});

test('the path of a namespace may have a space', async () => {
  const path = `${scratch.directory}/a space`;
  sh(`touch '${path}'; mount --bind ${scratch.namespace('space')} '${path}'`);
  try {
    await createVeth(spec(path));
    assert.is(addressesOf(path, 'eth0').mtu, 1450);
  } finally {
    sh(`umount '${path}'`);
  }
});

test('deleting the host end removes both ends; deleting twice is fine', async () => {
  const netns = scratch.namespace('gone');
  const wanted = spec(netns);
  await createVeth(wanted);
  assert.is(await deleteVeth(wanted.hostIfname), true);
  assert.is(await deleteVeth(wanted.hostIfname), false);
  assert.not.match(shIn(netns, 'ip -o link'), /eth0/);
});

/** Goes on after failures: the bridge is to be filled to the last port. */
function batch(lines: readonly string[]): void {
  sh(`ip -force -batch - >/dev/null 2>&1 <<'END' || true\n${lines.join('\n')}\nEND`);
}

test('host ends beyond what a bridge takes work without it', async () => {
  const pairs = Array.from({ length: 515 }, (_, n) => n);
  const fill = pairs.map((n) => [
    `link add name pa${n} master plaithr type veth peer name pb${n}`,
    `link set dev pb${n} master plaithr`,
  ]);
  try {
    batch(fill.flat());
    const wanted = spec(scratch.namespace('full'));
    await createVeth(wanted);
    const [host] = json<Shown[]>(sh(`ip -j address show dev ${wanted.hostIfname}`));
    assert.is(host?.master, undefined);
    assert.ok(host?.flags.includes('UP'));
  } finally {
    batch(pairs.map((n) => `link delete dev pa${n}`));
  }
});

test.run();
