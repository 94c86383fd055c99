// What the host's routing says about VTEPs. The topology is made by hand, so the answers are known.
//
//   this host ── u1 192.0.2.1/24, 2001:db8::1/64, MTU 1500 ── router 192.0.2.254, 2001:db8::fe
//             └─ u2 198.51.100.1/24, MTU 9000

import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { defaultAddress } from '../../src/net/default-address.js';
import { followNetwork } from '../../src/net/monitor.js';
import { findUnderlay, hostPrefixes, nextHops } from '../../src/net/underlay.js';
import { patience } from '../../src/patience.js';
import { enterOwnNamespace, json, sh } from './support/own-namespace.js';

enterOwnNamespace(import.meta.url);

const test = suite('net: underlay');

test.before(() => {
  sh(`
    ip link add u1 type veth peer name u1p; ip link add u2 mtu 9000 type veth peer name u2p mtu 9000
    for device in u1 u1p u2 u2p; do ip link set $device addrgenmode none up; done
    ip address add 192.0.2.1/24 dev u1; ip address add 2001:db8::1/64 dev u1 nodad
    ip address add 198.51.100.1/24 dev u2
    ip route add 203.0.113.0/24 via 192.0.2.254; ip route add 203.0.113.9/32 via 192.0.2.254 mtu 1300
    ip -6 route add 2001:db8:7::/64 via 2001:db8::fe
    ip route add unreachable 203.0.114.0/24`);
});

function ifindex(name: string): number {
  return json<{ ifindex: number }[]>(sh(`ip -j link show dev ${name}`))[0]?.ifindex ?? 0;
}

test('the underlay is the device that has the address, in any spelling', async () => {
  const v4 = await findUnderlay('198.51.100.1');
  assert.equal(
    [v4.device, v4.ifindex, v4.mtu, v4.innerMtu, v4.version],
    ['u2', ifindex('u2'), 9000, 8950, 4],
  );
  const v6 = await findUnderlay('2001:0db8:0:0::1');
  assert.equal([v6.device, v6.address, v6.innerMtu, v6.version], ['u1', '2001:db8::1', 1430, 6]);
});

test('any address of the device will do, not only its first', async () => {
  sh('ip address add 198.51.100.7/24 dev u2');
  try {
    const found = await findUnderlay('198.51.100.7');
    assert.equal([found.device, found.address], ['u2', '198.51.100.7']);
  } finally {
    sh('ip address delete 198.51.100.7/24 dev u2');
  }
});

test('an address that no device has is an error that says so', async () => {
  try {
    await findUnderlay('192.0.2.77');
    assert.unreachable('it was found');
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    assert.is(code, 'NO_UNDERLAY');
    assert.is(message, 'find address 192.0.2.77: no device of this host has it');
  }
});

test('a VTEP on the link is its own next hop, one beyond a router has the router', async () => {
  const routes = await nextHops(['192.0.2.2', '203.0.113.5'], '192.0.2.1');
  const u1 = ifindex('u1');
  assert.equal(routes.get('192.0.2.2'), { ifindex: u1, nextHop: '192.0.2.2', local: '192.0.2.1', mtu: 1500 });
  assert.equal(routes.get('203.0.113.5')?.nextHop, '192.0.2.254');
});

test('the path MTU of a route counts when it is smaller', async () => {
  const routes = await nextHops(['203.0.113.9'], '192.0.2.1');
  assert.is(routes.get('203.0.113.9')?.mtu, 1300);
});

test('IPv6 VTEPs are looked up for an IPv6 node', async () => {
  const routes = await nextHops(['2001:db8::2', '2001:db8:7::2', '192.0.2.2'], '2001:db8::1');
  assert.equal([...routes.keys()], ['2001:db8::2', '2001:db8:7::2']);
  assert.is(routes.get('2001:db8:7::2')?.nextHop, '2001:db8::fe');
});

test('no route, a prohibited one and an address of this host are no answers, and hide no others', async () => {
  const asked = ['8.8.8.8', '203.0.114.1', '198.51.100.1', '192.0.2.2'];
  const routes = await nextHops(asked, '192.0.2.1');
  assert.equal([...routes.keys()], ['192.0.2.2']);
});

test('a thousand VTEPs are one question', async () => {
  sh('ip route add 10.99.0.0/16 via 192.0.2.254');
  const asked = Array.from({ length: 1000 }, (_, n) => `10.99.${n >> 8}.${n & 255}`);
  const started = performance.now();
  const routes = await nextHops(asked, '192.0.2.1');
  assert.equal([...routes.keys()], asked);
  assert.ok(performance.now() - started < patience(1000));
});

test('host prefixes are those that the host routes', async () => {
  const prefixes = (await hostPrefixes()).map(({ prefix, device }) => `${prefix} ${device}`);
  for (const expected of ['192.0.2.0/24 u1', '203.0.113.9/32 u1', '2001:db8:7::/64 u1']) {
    assert.ok(prefixes.includes(expected), expected);
  }
});

test('the default address is found behind a route by several ways, and not behind an unreachable one', async () => {
  sh('ip -6 route add unreachable default metric 9');
  const failure = await defaultAddress().catch((error: unknown) => error);
  assert.is((failure as { code: string }).code, 'NO_UNDERLAY');
  sh('ip route add default nexthop via 192.0.2.254 nexthop via 198.51.100.254 dev u2');
  try {
    assert.is(await defaultAddress(), '192.0.2.1');
  } finally {
    sh('ip route delete default; ip -6 route delete unreachable default metric 9');
  }
});

test('the default address is not looked for on a device that has none', async () => {
  sh('ip link add u3 type veth peer name u3p; ip link set u3 addrgenmode none up; ip link set u3p up');
  try {
    sh('ip route add default dev u3');
    const failure = await defaultAddress().catch((error: unknown) => error);
    assert.match((failure as Error).message, /^choose this node's underlay address: /);
  } finally {
    sh('ip link delete u3');
  }
});

test('host prefixes behind several ways, and unreachable ones, are not forgotten', async () => {
  sh('ip route add 203.0.116.0/24 nexthop via 192.0.2.254 nexthop via 198.51.100.254');
  const prefixes = (await hostPrefixes()).map(({ prefix, device }) => `${prefix} ${device}`);
  for (const expected of ['203.0.116.0/24 u1', '203.0.114.0/24 unreachable']) {
    assert.ok(prefixes.includes(expected), `${expected} in ${prefixes.join(', ')}`);
  }
});

async function until(what: string, condition: () => boolean): Promise<void> {
  for (const end = Date.now() + patience(5000); !condition(); await sleep(20)) {
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
  }
}

function monitors(parent = process.pid): string[] {
  return sh(`pgrep -P ${parent} -x ip || true`).split('\n').filter(Boolean);
}

test('the monitor reports routes, links and addresses of the host, not those of our own interfaces', async () => {
  let changes = 0;
  const monitor = followNetwork(() => changes++);
  try {
    await until('ip monitor', () => monitors().length === 1);
    await sleep(100);
    sh('ip link add plaithr type bridge; ip link set plaithr up; ip link delete plaithr');
    await sleep(300);
    assert.is(changes, 0);
    sh('ip route add 203.0.115.0/24 via 192.0.2.254');
    await until('a report of the route', () => changes === 1);
    sh('ip link set u2 mtu 8000');
    await until('a report of the MTU', () => changes === 2);
  } finally {
    monitor.close();
  }
});

test('a monitor that is killed is started again, and reports what it may have missed', async () => {
  let changes = 0;
  const reasons: string[] = [];
  const monitor = followNetwork(() => changes++, { onRestart: (reason) => reasons.push(reason) });
  try {
    await until('ip monitor', () => monitors().length === 1);
    sh(`kill -9 ${monitors()[0]}`);
    await until('a report', () => changes === 1);
    await until('ip monitor again', () => monitors().length === 1);
    assert.is(reasons.length, 1);
  } finally {
    monitor.close();
  }
  await until('its end', () => monitors().length === 0);
});

test('the monitor dies with an agent that is killed', async () => {
  const monitor = fileURLToPath(new URL('../../src/net/monitor.js', import.meta.url));
  const agent = spawn(process.execPath, [
    '-e',
    `import('${monitor}').then((m) => m.followNetwork(() => {}))`,
  ]);
  await until('ip monitor', () => monitors(agent.pid).length === 1);
  const [pid] = monitors(agent.pid);
  agent.kill('SIGKILL');
  await until('its end', () => sh(`ps -o stat= -p ${pid} | grep -v Z || true`) === '');
});

test.run();
