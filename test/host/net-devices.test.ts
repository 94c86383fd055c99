// The host's own devices, and the UDP port that one of them takes. The oracle is `ip -j -d`.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { checkDevices, ensureDevices, removeDevices } from '../../src/net/devices.js';
import { enterOwnNamespace, json, sh } from './support/own-namespace.js';

enterOwnNamespace(import.meta.url);

const test = suite('net: devices');
test.after.each(() => removeDevices());

interface Shown {
  ifname: string;
  ifindex: number;
  mtu: number;
  address: string;
  flags: string[];
  master?: string;
  linkinfo: { info_kind: string; info_data?: Record<string, unknown> };
}

function show(name: string): Shown {
  return json<Shown[]>(sh(`ip -j -d link show dev ${name}`))[0] as Shown;
}

async function refusal(port: number): Promise<{ code?: string; message: string }> {
  try {
    await ensureDevices(port, 1450);
  } catch (error) {
    return error as { code?: string; message: string };
  }
  return assert.unreachable('the devices were created') as never;
}

test('the vxlan device takes its data from each packet, learns nothing and is up on its port', async () => {
  const { vxlan } = await ensureDevices(4789, 1450);
  const device = show('plaitvx');
  assert.is(device.ifindex, vxlan);
  assert.ok(device.flags.includes('UP'));
  const data = device.linkinfo.info_data ?? {};
  assert.is(data.external, true);
  assert.is(data.port, 4789);
  assert.is(data.learning, false);
  assert.is(data.udp_zero_csum6_rx, true);
});

test('plait0 has the gateway MAC and asks nobody for addresses', async () => {
  const { host, hostPeer } = await ensureDevices(4789, 1450);
  const device = show('plait0');
  assert.is(device.ifindex, host);
  assert.is(device.address, '02:50:4c:41:49:54');
  assert.is(device.mtu, 1450);
  assert.ok(device.flags.includes('NOARP') && device.flags.includes('UP'));
  assert.is(show('plait0p').ifindex, hostPeer);
});

test('the bridge for headroom is down, so that it cannot forward', async () => {
  await ensureDevices(4789, 1450);
  assert.not(show('plaithr').flags.includes('UP'));
  assert.is(show('plaitvx').master, 'plaithr');
  assert.is(show('plait0p').master, 'plaithr');
});

test('what is there is kept, what differs is mended', async () => {
  const first = await ensureDevices(4789, 1450);
  sh('ip link set plaithr up; ip link set plait0 down');
  assert.equal(await checkDevices(4789), [
    ['plait0', 'up', 'down'],
    ['plaithr', 'down', 'up'],
  ]);
  assert.equal(await ensureDevices(4789, 1400), first);
  assert.equal(await checkDevices(4789), []);
  assert.is(show('plait0').mtu, 1400);
});

test('another port makes the vxlan device anew', async () => {
  const first = await ensureDevices(4789, 1450);
  const second = await ensureDevices(14789, 1450);
  assert.is.not(first.vxlan, second.vxlan);
  assert.is(show('plaitvx').linkinfo.info_data?.port, 14789);
});

for (const kind of ['external', 'id 7 remote 192.0.2.9']) {
  test(`a vxlan device (${kind}) that has the port is named`, async () => {
    sh(`ip link add vxother type vxlan ${kind} dstport 4789 && ip link set vxother up`);
    try {
      const { code, message } = await refusal(4789);
      assert.is(code, 'PORT_TAKEN');
      assert.is(message, 'create the vxlan device on UDP port 4789: vxlan device vxother has that port');
      assert.is(sh('ip -j link show type vxlan | grep -c plaitvx || true'), '0');
      await ensureDevices(14789, 1450);
    } finally {
      sh('ip link delete vxother');
    }
  });
}

test('a process that has the port is named', async () => {
  const script = `require('dgram').createSocket('udp4').bind(4789, () => console.log('bound'))`;
  const holder = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    await once(holder.stdout, 'data');
    const { code, message } = await refusal(4789);
    assert.is(code, 'PORT_TAKEN');
    assert.match(message, new RegExp(`: process ${holder.pid} \\(node\\) has that port$`));
  } finally {
    holder.kill();
    await once(holder, 'exit');
  }
});

for (const half of ['plait0', 'plait0p']) {
  test(`a pair of which ${half} was renamed is made anew`, async () => {
    await ensureDevices(4789, 1450);
    sh(`ip link set ${half} down; ip link set ${half} name strange0`);
    const { host, hostPeer } = await ensureDevices(4789, 1450);
    assert.equal([show('plait0').ifindex, show('plait0p').ifindex], [host, hostPeer]);
    assert.is(show('plait0p').master, 'plaithr');
    assert.equal(await checkDevices(4789), []);
  });
}

test('an MTU that only one end of the pair has is mended', async () => {
  await ensureDevices(4789, 1450);
  sh('ip link set plait0p mtu 1300');
  await ensureDevices(4789, 1450);
  assert.equal([show('plait0').mtu, show('plait0p').mtu], [1450, 1450]);
});

for (const [name, other, kind] of [
  ['plait0', 'bridge', 'veth'],
  ['plaitvx', 'bridge', 'vxlan'],
  ['plaithr', 'veth', 'bridge'],
] as const) {
  test(`somebody else's ${other} device with the name ${name} is named, and left alone`, async () => {
    sh(`ip link add ${name} type ${other}`);
    try {
      const { ifindex } = show(name);
      const { code, message } = await refusal(4789);
      assert.is(code, 'DEVICE_TAKEN');
      assert.is(message, `create ${kind} device ${name}: another device (${other}) has the name`);
      assert.is(show(name).ifindex, ifindex);
    } finally {
      sh(`ip link delete ${name}`);
    }
  });
}

test('a vxlan device with one fixed network is made anew', async () => {
  sh('ip link add plaitvx type vxlan id 7 dstport 4789; ip link set plaitvx up');
  await ensureDevices(4789, 1450);
  assert.is(show('plaitvx').linkinfo.info_data?.external, true);
});

test('removing leaves no device, twice is fine', async () => {
  await ensureDevices(4789, 1450);
  await removeDevices();
  await removeDevices();
  assert.equal(
    json<Shown[]>(sh('ip -j link show')).map(({ ifname }) => ifname),
    ['lo'],
  );
});

test.run();
