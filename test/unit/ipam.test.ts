/* The choice of addresses, subnets and VNIs, and what is refused. */
import { execFileSync } from 'node:child_process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { draftEndpoint, NetworkPools } from '../../src/ipam/endpointPlan.js';
import { type Existing, planNetwork } from '../../src/ipam/networkPlan.js';
import { AddressPool, subnetsOf } from '../../src/ipam/pool.js';
import { formatCidr, parseCidr } from '../../src/model/addresses.js';
import type { HostRoute, NetworkInput } from '../../src/model/inputs.js';
import { EXTERNAL_NODE, type Network, networkSchema, randomId } from '../../src/model/records.js';
import {
  validateEndpointName,
  validateLabels,
  validateMtu,
  validateNetworkName,
  validateSubnet,
  validateVni,
} from '../../src/model/validate.js';

const ipam = suite('ipam');
const nothing: Existing = { networks: [], vnis: new Map() };

function plan(input: Partial<NetworkInput>, existing = nothing, routes: HostRoute[] = []): Network {
  const identity = { id: randomId(), createdAt: new Date().toISOString() };
  return planNetwork({ name: 'app', ...input }, { routes, mtu: 1450 }, existing, identity);
}

function takeAll(subnet: ConstructorParameters<typeof AddressPool>[0], taken: string[] = []): string[] {
  const pool = new AddressPool(subnet);
  const all: string[] = [];
  for (let next = pool.take(new Set(taken)); next !== undefined; next = pool.take(new Set(taken)))
    all.push(next);
  return all;
}

ipam('a pool hands out exactly the hosts that Python counts, without the gateway', () => {
  for (const subnet of ['10.0.0.0/24', '10.9.8.128/28', '192.168.7.4/30', '172.16.0.0/22']) {
    const script = `import ipaddress; print(*ipaddress.ip_network('${subnet}').hosts())`;
    const [gateway = '', ...hosts] = execFileSync('python3', ['-c', script], { encoding: 'utf8' })
      .trim()
      .split(' ');
    assert.equal(takeAll({ subnet, gateway }), hosts);
  }
});

for (const [what, subnet, taken, expected] of [
  [
    'holes are filled from below',
    { subnet: '10.0.0.0/29', gateway: '10.0.0.1' },
    ['10.0.0.2', '10.0.0.4'],
    ['10.0.0.3', '10.0.0.5', '10.0.0.6'],
  ],
  [
    'a range bounds the choice',
    { subnet: '10.0.0.0/16', gateway: '10.0.0.1', range: '10.0.9.0/30' },
    [],
    ['10.0.9.0', '10.0.9.1', '10.0.9.2', '10.0.9.3'],
  ],
  [
    'a range at the start spares the network address and the gateway',
    { subnet: '10.0.0.0/16', gateway: '10.0.0.1', range: '10.0.0.0/30' },
    [],
    ['10.0.0.2', '10.0.0.3'],
  ],
  [
    'a range at the end spares the broadcast address',
    { subnet: '10.0.0.0/24', gateway: '10.0.0.1', range: '10.0.0.252/30' },
    [],
    ['10.0.0.252', '10.0.0.253', '10.0.0.254'],
  ],
  [
    'a gateway in the middle is spared',
    { subnet: '10.0.0.0/29', gateway: '10.0.0.4' },
    ['10.0.0.1'],
    ['10.0.0.2', '10.0.0.3', '10.0.0.5', '10.0.0.6'],
  ],
  [
    'an internal subnet has no gateway to spare',
    { subnet: '10.0.0.0/30', gateway: null },
    [],
    ['10.0.0.1', '10.0.0.2'],
  ],
  [
    'IPv6 has an anycast address and no broadcast',
    { subnet: 'fd00::/125', gateway: 'fd00::1' },
    ['fd00::3'],
    ['fd00::2', 'fd00::4', 'fd00::5', 'fd00::6', 'fd00::7'],
  ],
  ['a /31 has two hosts', { subnet: '10.0.0.0/31', gateway: null }, [], ['10.0.0.0', '10.0.0.1']],
  ['a /32 has one', { subnet: '10.0.0.9/32', gateway: null }, [], ['10.0.0.9']],
  ['a /128 has one', { subnet: 'fd00::9/128', gateway: null }, [], ['fd00::9']],
  ['all taken is none left', { subnet: '10.0.0.0/30', gateway: '10.0.0.1' }, ['10.0.0.2'], []],
] as const) {
  ipam(what, () => assert.equal(takeAll(subnet, [...taken]), [...expected]));
}

ipam('a huge subnet is not walked through', () => {
  const pool = new AddressPool({ subnet: 'fd00::/48', gateway: 'fd00::1' });
  assert.is(pool.take(new Set()), 'fd00::2');
  assert.is(pool.used(['fd00::2', 'fd01::2']), 1);
});

ipam('the default pool has 32768 subnets', () => {
  const all = Array.from(subnetsOf(parseCidr('10.128.0.0/9'), 24), formatCidr);
  assert.is(all.length, 32768);
  assert.equal([all[0], all.at(-1)], ['10.128.0.0/24', '10.255.255.0/24']);
});

ipam('a network without wishes gets a /24, a gateway, a vni and the mtu of the host', () => {
  const network = plan({});
  assert.equal(network.subnets, [{ subnet: '10.128.0.0/24', gateway: '10.128.0.1' }]);
  assert.is(network.vni, 4096);
  assert.is(network.mtu, 1450);
  assert.equal(networkSchema.parse(network), network, 'the plan is a record');
});

ipam('an address plan of its own is kept', () => {
  const network = plan({
    subnets: ['10.10.0.0/16', 'fd00:10::/64'],
    gateways: ['fd00:10::ffff', '10.10.255.254'],
    ranges: ['10.10.10.0/24'],
    vni: 77,
    mtu: 9000,
    options: { colour: 'blue' },
  });
  assert.equal(network.subnets, [
    { subnet: '10.10.0.0/16', gateway: '10.10.255.254', range: '10.10.10.0/24' },
    { subnet: 'fd00:10::/64', gateway: 'fd00:10::ffff' },
  ]);
  assert.is(network.vni, 77);
});

ipam('--ipv6 adds a random ULA, but not to a network that has IPv6', () => {
  assert.match(plan({ ipv6: true }).subnets[1]?.subnet ?? '', /^fd[0-9a-f]{2}:.*::\/64$/);
  assert.is(plan({ ipv6: true, subnets: ['fd00:1::/64'] }).subnets.length, 1);
});

ipam('an internal network has no gateway', () => {
  assert.equal(plan({ internal: true }).subnets, [{ subnet: '10.128.0.0/24', gateway: null }]);
});

ipam('the chosen subnet is clear of routes and networks; a default route is no obstacle', () => {
  const routes = [
    { subnet: '0.0.0.0/0', name: 'default' },
    { subnet: '10.128.0.0/23', name: 'lab' },
    { subnet: '10.128.3.128/25', name: 'lab' },
  ];
  const other = plan({ subnets: ['10.128.2.0/24'] });
  const existing = { networks: [other], vnis: new Map([[4096, 'app']]) };
  const network = plan({ name: 'b' }, existing, routes);
  assert.is(network.subnets[0]?.subnet, '10.128.4.0/24');
  assert.is(network.vni, 4097);
});

ipam('an exhausted pool says so', () => {
  const routes = [{ subnet: '10.0.0.0/8', name: 'route 10.0.0.0/8 dev eth0' }];
  assert.throws(() => plan({}, nothing, routes), /no free one left in the default pool 10\.128\.0\.0\/9/);
});

const refused: [string, Partial<NetworkInput>, RegExp][] = [
  ['a subnet with host bits', { subnets: ['10.0.0.1/24'] }, /host bits/],
  ['loopback', { subnets: ['127.0.0.0/24'] }, /127\.0\.0\.0\/8 is loopback/],
  ['multicast', { subnets: ['239.0.0.0/24'] }, /is multicast/],
  ['link-local', { subnets: ['169.254.0.0/24'] }, /is link-local/],
  ['IPv6 multicast', { subnets: ['ff02::/64'] }, /is multicast/],
  ['IPv6 link-local', { subnets: ['fe80::/64'] }, /is link-local/],
  ['a subnet around loopback', { subnets: ['112.0.0.0/4'] }, /loopback/],
  ['too big a subnet', { subnets: ['10.0.0.0/7'] }, /not within 8–30/],
  ['too small a subnet', { subnets: ['10.0.0.0/31'] }, /not within 8–30/],
  ['too big an IPv6 subnet', { subnets: ['fd00::/32'] }, /not within 48–126/],
  [
    'a gateway outside',
    { subnets: ['10.0.0.0/24'], gateways: ['10.0.1.1'] },
    /gateway 10\.0\.1\.1: it is in no subnet/,
  ],
  ['a gateway that is the network', { subnets: ['10.0.0.0/24'], gateways: ['10.0.0.0'] }, /network address/],
  [
    'a gateway that is broadcast',
    { subnets: ['10.0.0.0/24'], gateways: ['10.0.0.255'] },
    /broadcast address/,
  ],
  ['two gateways', { subnets: ['10.0.0.0/24'], gateways: ['10.0.0.1', '10.0.0.2'] }, /already has gateway/],
  [
    'a range outside',
    { subnets: ['10.0.0.0/24'], ranges: ['10.0.1.0/25'] },
    /range 10\.0\.1\.0\/25: it is in no subnet/,
  ],
  ['a range around', { subnets: ['10.0.0.0/24'], ranges: ['10.0.0.0/16'] }, /in no subnet/],
  ['a range without room', { subnets: ['10.0.0.0/24'], ranges: ['10.0.0.0/31'] }, /no address in it/],
  [
    'a gateway without a way out',
    { internal: true, subnets: ['10.0.0.0/24'], gateways: ['10.0.0.1'] },
    /internal/,
  ],
  ['too small an mtu', { mtu: 575 }, /not within 576–65485/],
  ['an mtu too small for IPv6', { mtu: 1279, ipv6: true }, /not within 1280–65485 \(IPv6\)/],
  ['too big an mtu', { mtu: 65486 }, /mtu 65486/],
  ['vni 0', { vni: 0 }, /not within 1–16777215/],
  ['a vni of 25 bits', { vni: 2 ** 24 }, /not within/],
  ['half a vni', { vni: 4096.5 }, /not within/],
  ['a label without a key', { labels: { '': 'x' } }, /label ""/],
  [
    'an option that promises what nobody does',
    { options: { encrypted: '' } },
    /not supported, .*in the clear/,
  ],
  ['an option with a blank', { options: { 'a b': 'x' } }, /option "a b"/],
];
for (const [what, input, message] of refused) {
  ipam(`${what} is refused`, () => assert.throws(() => plan(input), message));
}

const dual = plan({ subnets: ['10.0.0.0/24', 'fd00::/64'] });
const declared = (addresses: string[], vtep = '192.0.2.9') =>
  draftEndpoint(
    dual,
    { name: 'peer', node: EXTERNAL_NODE, vtep, addresses },
    { id: randomId(), createdAt: new Date().toISOString() },
  );

ipam('a declared peer gets the addresses that it was declared with, and no other', () => {
  const draft = declared(['10.0.0.9']);
  assert.equal(draft.missing, []);
  assert.equal(new NetworkPools(dual, []).complete(draft).addresses, ['10.0.0.9']);
});

for (const vtep of ['0.0.0.0', '127.0.0.1', '224.0.0.1', '255.255.255.255', '::', '::1', 'ff02::1']) {
  ipam(`a peer behind ${vtep} is refused`, () =>
    assert.throws(() => declared(['10.0.0.9'], vtep), /use vtep \S+: it is /),
  );
}

for (const [check, good, bad] of [
  [
    validateNetworkName,
    ['a', 'App_1.x-y', `a${'b'.repeat(62)}`],
    ['', '-a', '.a', 'a b', 'ä', 'a/b', 'a'.repeat(64)],
  ],
  [
    validateEndpointName,
    ['web', 'web.1', 'proj_web_1', '1', 'a.b.c', 'x'.repeat(63)],
    ['', '.', 'web.', 'a..b', '-a', 'a-', 'a b', 'x'.repeat(64), `${'a.'.repeat(127)}bb`, 'a/b'],
  ],
  [
    validateSubnet,
    ['10.0.0.0/8', '10.0.0.0/30', 'fd00::/48', '2001:db8::/126'],
    ['240.0.0.0/8', '0.0.0.0/8', '::/48'],
  ],
] as const) {
  for (const text of good) ipam(`${check.name} accepts ${text}`, () => void check(text));
  for (const text of bad)
    ipam(`${check.name} refuses ${JSON.stringify(text)}`, () => assert.throws(() => check(text)));
}

ipam('limits themselves are within', () => {
  assert.equal(
    [validateMtu(576, false), validateMtu(1280, true), validateMtu(65485, true)],
    [576, 1280, 65485],
  );
  assert.equal([validateVni(1), validateVni(2 ** 24 - 1)], [1, 2 ** 24 - 1]);
  assert.equal(validateLabels({ 'com.example/a': '' }), { 'com.example/a': '' });
});

ipam(
  'the MAC of an address is the same each time, another on another network, and only for who asks for it',
  () => {
    const network = plan({ subnets: ['10.0.0.0/24'] });
    const drafted = (more: object, on = network) =>
      new NetworkPools(on, []).complete(
        draftEndpoint(
          on,
          { name: 'web', node: randomId(), addresses: ['10.0.0.9'], ...more },
          { id: randomId(), createdAt: new Date().toISOString() },
        ),
      ).mac;
    const [first, again] = [drafted({ hasMacOfAddress: true }), drafted({ hasMacOfAddress: true })];
    assert.is(first, again);
    assert.is.not(drafted({ hasMacOfAddress: true, addresses: ['10.0.0.8'] }), first);
    assert.is.not(drafted({ hasMacOfAddress: true }, plan({ subnets: ['10.0.0.0/24'] })), first);
    assert.is.not(drafted({}), drafted({}));
    assert.is(drafted({ hasMacOfAddress: true, mac: '02:00:00:aa:bb:cc' }), '02:00:00:aa:bb:cc');
    assert.is(Number.parseInt(first.slice(0, 2), 16) & 3, 2, 'locally administered, and unicast');
  },
);

ipam.run();
