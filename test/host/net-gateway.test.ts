// kernels: every

// The gateway of all networks on plait0. The oracles are `ip -j`, `nft -j` and /proc/sys.

import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ensureDevices } from '../../src/net/devices.js';
import { removeFirewall } from '../../src/net/firewall.js';
import { Gateway, type GatewayNetwork } from '../../src/net/gateway.js';
import { Sysctls } from '../../src/net/sysctl.js';
import { enterOwnNamespace, json, Scratch, sh } from './support/own-namespace.js';

enterOwnNamespace(import.meta.url);

const test = suite('net: gateway');
const scratch = new Scratch();
const sysctls = new Sysctls(join(scratch.directory, 'lib'));
const gateway = new Gateway(4789, sysctls);

const app: GatewayNetwork = {
  vni: 4096,
  mtu: 1400,
  internal: false,
  subnets: [
    { subnet: '10.10.0.0/24', gateway: '10.10.0.1' },
    { subnet: 'fd00:10::/64', gateway: 'fd00:10::1' },
  ],
};
const db: GatewayNetwork = {
  vni: 4097,
  mtu: 1450,
  internal: false,
  subnets: [{ subnet: '10.20.0.0/16', gateway: '10.20.0.1' }],
};
const secret: GatewayNetwork = {
  vni: 4098,
  mtu: 1450,
  internal: true,
  subnets: [{ subnet: '10.30.0.0/24', gateway: '10.30.0.1' }],
};
const lonely: GatewayNetwork = {
  vni: 4099,
  mtu: 1450,
  internal: false,
  subnets: [{ subnet: '10.40.0.0/24', gateway: null }],
};

test.before(async () => {
  await ensureDevices(4789, 1450);
});
test.after(() => scratch.clean());

function addresses(): string[] {
  type Link = { addr_info: { local: string; prefixlen: number; tentative?: boolean }[] };
  const [plait0] = json<Link[]>(sh('ip -j address show dev plait0'));
  assert.not(plait0?.addr_info.some(({ tentative }) => tentative));
  return (plait0?.addr_info ?? []).map(({ local, prefixlen }) => `${local}/${prefixlen}`).sort();
}

function routes(): string[] {
  type Route = { dst: string; prefsrc?: string; protocol?: string; metrics?: { mtu?: number }[] };
  const all = json<Route[]>(sh('ip -j route show dev plait0')).concat(
    json<Route[]>(sh('ip -j -6 route show dev plait0')),
  );
  return all
    .filter(({ protocol }) => protocol !== 'kernel')
    .map(({ dst, prefsrc, metrics }) => `${dst} src ${prefsrc} mtu ${metrics?.[0]?.mtu}`)
    .sort();
}

function natSubnets(): string[] {
  type Prefix = { prefix: { addr: string; len: number } };
  const { nftables } = json<{ nftables: { set?: { elem?: Prefix[] } }[] }>(
    sh('nft -j list table inet plait'),
  );
  return nftables
    .flatMap(({ set }) => set?.elem ?? [])
    .map(({ prefix }) => `${prefix.addr}/${prefix.len}`)
    .sort();
}

test('every subnet gets its gateway address, its route with the network MTU, and masquerading', async () => {
  assert.is(await gateway.apply([app, db]), true);
  assert.equal(addresses(), ['10.10.0.1/32', '10.20.0.1/32', 'fd00:10::1/128']);
  assert.equal(routes(), [
    '10.10.0.0/24 src 10.10.0.1 mtu 1400',
    '10.20.0.0/16 src 10.20.0.1 mtu 1450',
    'fd00:10::/64 src fd00:10::1 mtu 1400',
  ]);
  assert.equal(natSubnets(), ['10.10.0.0/24', '10.20.0.0/16', 'fd00:10::/64']);
  assert.equal(await gateway.verify([app, db]), []);
});

test('applying the same again changes nothing', async () => {
  await gateway.apply([app, db]);
  assert.is(await gateway.apply([db, app]), false);
});

test('internal networks and subnets without a gateway get no way out', async () => {
  await gateway.apply([app, secret, lonely]);
  assert.equal(addresses(), ['10.10.0.1/32', 'fd00:10::1/128']);
  assert.equal(natSubnets(), ['10.10.0.0/24', 'fd00:10::/64']);
});

test('a network that is gone leaves nothing; a changed MTU is written', async () => {
  await gateway.apply([app, db]);
  await gateway.apply([{ ...db, mtu: 1300 }]);
  assert.equal(addresses(), ['10.20.0.1/32']);
  assert.equal(routes(), ['10.20.0.0/16 src 10.20.0.1 mtu 1300']);
  assert.equal(natSubnets(), ['10.20.0.0/16']);
});

test('what others removed is found by verify and mended by apply', async () => {
  await gateway.apply([db]);
  sh('ip address delete 10.20.0.1/32 dev plait0; nft flush chain inet plait nat_out');
  const faults = await gateway.verify([db]);
  assert.equal(
    faults.map(([what]) => what),
    ['plait0 10.20.0.1/32', 'plait0 10.20.0.0/16', 'nftables inet plait'],
  );
  assert.is(await gateway.apply([db]), true);
  assert.equal(await gateway.verify([db]), []);
});

test("a subnet that the host routes itself is refused, the host's route and all other networks go on", async () => {
  await gateway.apply([]);
  sh('ip link add lan type veth peer name lanp; ip link set lan up; ip link set lanp up');
  try {
    sh('ip address add 10.20.3.7/24 dev lan');
    const failure = await gateway.apply([db, app]).catch((error: unknown) => error);
    const { code, message } = failure as { code: string; message: string };
    assert.is(code, 'SUBNET_OVERLAP');
    assert.is(message, "use subnet 10.20.0.0/16: it overlaps the host's route 10.20.3.0/24 dev lan");
    assert.match(sh('ip route show dev lan'), /^10\.20\.3\.0\/24 /);
    assert.equal(addresses(), ['10.10.0.1/32', 'fd00:10::1/128']);
    sh('ip address delete 10.20.3.7/24 dev lan');
    await gateway.apply([db, app]);
    sh('ip address add 10.20.3.7/24 dev lan');
    assert.is(await gateway.apply([db, app]), false, 'a route that is ours already stays');
  } finally {
    sh('ip link delete lan');
  }
});

test('settings of the host that were noted at the same time are all put back', async () => {
  const both = ['rp_filter', 'arp_notify'].map((name) => `net/ipv4/conf/plait0/${name}`);
  const read = (): string => sh(both.map((name) => `cat /proc/sys/${name}`).join(';'));
  const other = new Sysctls(join(scratch.directory, 'both'));
  for (const name of both) sh(`echo 0 > /proc/sys/${name}`);
  await Promise.all(both.map((name) => other.set(name, '1')));
  assert.is(read(), '1\n1');
  await other.restore();
  assert.is(read(), '0\n0');
});

test('a damaged file of settings says what to do', async () => {
  const state = join(scratch.directory, 'damaged');
  sh(
    `mkdir ${state}; printf '{"boot"' > ${state}/sysctls.json; echo 0 > /proc/sys/net/ipv4/conf/plait0/arp_notify`,
  );
  const failure = await new Sysctls(state)
    .set('net/ipv4/conf/plait0/arp_notify', '1')
    .catch((error: unknown) => error);
  const { code, message } = failure as { code: string; message: string };
  assert.is(code, 'STATE_DAMAGED');
  assert.is(message, `read ${state}/sysctls.json: it does not hold the settings of the host`);
});

test('rules of others are not touched', async () => {
  sh('nft add table inet theirs; nft add chain inet theirs c; nft add rule inet theirs c accept');
  const before = sh('nft list table inet theirs');
  await gateway.apply([app]);
  await removeFirewall();
  assert.is(sh('nft list table inet theirs'), before);
  assert.is(await removeFirewall(), false);
  await gateway.apply([app]);
});

test('forwarding is switched on when a network needs it, and put back as it was', async () => {
  const read = (name: string): string => sh(`cat /proc/sys/${name}`);
  await sysctls.restore();
  sh('echo 0 > /proc/sys/net/ipv4/ip_forward; echo 0 > /proc/sys/net/ipv6/conf/all/forwarding');
  sh('ip link add uplink type veth peer name uplinkp; echo 1 > /proc/sys/net/ipv6/conf/uplink/accept_ra');
  try {
    await gateway.apply([app]);
    assert.is(read('net/ipv4/ip_forward'), '1');
    assert.is(read('net/ipv6/conf/all/forwarding'), '1');
    assert.is(read('net/ipv6/conf/uplink/accept_ra'), '2', 'or the host would lose its own default route');
    await new Sysctls(join(scratch.directory, 'lib')).restore();
    assert.is(read('net/ipv4/ip_forward'), '0');
    assert.is(read('net/ipv6/conf/all/forwarding'), '0');
    assert.is(read('net/ipv6/conf/uplink/accept_ra'), '1');
  } finally {
    sh('ip link delete uplink');
  }
});

test.run();
