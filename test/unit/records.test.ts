/* What other hands may write to etcd: each is refused as the record that it is, with a reason, and goes no further. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { GATEWAY_MAC } from '../../src/model/addresses.js';
import { BadRecord } from '../../src/model/errors.js';
import { parseEndpoint, parseNetwork, parseNode } from '../../src/store/parse.js';

const records = suite('records');
const [id, other] = ['a'.repeat(25), 'b'.repeat(25)];
const common = { id, labels: {}, createdAt: '2026-11-22T14:00:00.000Z' };
const node = { ...common, name: 'n1', vtep: '192.0.2.1', version: '1' };
const network = {
  ...common,
  name: 'app',
  vni: 4096,
  subnets: [{ subnet: '10.1.0.0/24', gateway: '10.1.0.1' }],
  internal: false,
  mtu: 1450,
  options: {},
};
const endpoint = {
  ...common,
  network: other,
  node: other,
  name: 'web.1',
  aliases: [],
  mac: '02:00:00:00:00:01',
  addresses: ['10.1.0.2', 'fd00::2'],
};
const subnets = (subnet: object) => ({ subnets: [{ ...network.subnets[0], ...subnet }] });

const read = {
  node: (change: object) => parseNode(entry(`/plait/nodes/${id}`, { ...node, ...change })),
  network: (change: object) => parseNetwork(entry(`/plait/networks/${id}`, { ...network, ...change })),
  endpoint: (change: object) => {
    const record = { ...endpoint, ...change };
    return parseEndpoint(entry(`/plait/endpoints/${other}/${record.node}/${id}`, record));
  },
};

function entry(key: string, record: object): { key: string; value: string } {
  return { key, value: JSON.stringify(record) };
}

records('what the agents write is read, with the fields that this version does not know', () => {
  assert.is(read.node({ zone: 'eu' }).zone, 'eu');
  assert.is(read.network({}).vni, 4096);
  assert.equal(read.endpoint({}).addresses, endpoint.addresses);
  assert.is(read.endpoint({ node: 'external', vtep: '2001:db8::9' }).vtep, '2001:db8::9');
});

const refused: [string, keyof typeof read, object, RegExp][] = [
  ['a VTEP that is a group', 'node', { vtep: '224.0.0.1' }, /vtep: use vtep 224.0.0.1: it is multicast/],
  ['a VTEP that is this host, whoever reads', 'node', { vtep: '127.0.0.1' }, /loopback/],
  ['a VTEP that is nowhere', 'node', { vtep: '::' }, /unspecified/],
  ['a name that moves the cursor', 'node', { name: 'n1\u001b[2J' }, /name: not 1 to 253 printable/],
  ['a name of a megabyte', 'node', { name: 'n'.repeat(1e6) }, /name: not 1 to 253 printable/],
  ['IPv4 as IPv6', 'endpoint', { addresses: ['::ffff:10.1.0.2'] }, /addresses.0: .*write it as 10.1.0.2/],
  ['an address in capitals', 'endpoint', { addresses: ['FD00::2'] }, /not written as fd00::2/],
  ['no address', 'endpoint', { addresses: [] }, /addresses/],
  ['a number for an address', 'endpoint', { addresses: [167837698] }, /addresses.0/],
  ['a group MAC', 'endpoint', { mac: '01:00:5e:00:00:01' }, /mac: .*group/],
  ["the gateway's MAC", 'endpoint', { mac: GATEWAY_MAC }, /mac: .*gateway/],
  ['a MAC in capitals', 'endpoint', { mac: '02:00:00:00:00:0A' }, /not written as 02:00:00:00:00:0a/],
  ['a name that DNS cannot say', 'endpoint', { name: `${'x'.repeat(64)}` }, /not a DNS name/],
  ['a declared peer without a VTEP', 'endpoint', { node: 'external' }, /a vtep goes with node external/],
  ["a VTEP beside a node's own", 'endpoint', { vtep: '192.0.2.9' }, /a vtep goes with node external/],
  ['VNI 0', 'network', { vni: 0 }, /vni/],
  ['a VNI of 25 bits', 'network', { vni: 2 ** 24 }, /vni/],
  ['a subnet with host bits', 'network', subnets({ subnet: '10.1.0.7/24' }), /host bits are set/],
  ['the whole internet', 'network', subnets({ subnet: '0.0.0.0/0' }), /0\.0\.0\.0\/8/],
  ['multicast as a subnet', 'network', subnets({ subnet: '224.1.0.0/24', gateway: null }), /multicast/],
  ['a gateway elsewhere', 'network', subnets({ gateway: '10.2.0.1' }), /gateway is not in the subnet/],
  ['a range elsewhere', 'network', subnets({ range: '10.2.0.0/25' }), /range is not in the subnet/],
  ['an array for a record', 'network', [], /./],
];

for (const [what, kind, change, reason] of refused) {
  records(`${what} is refused`, () => {
    let failure: unknown;
    try {
      if (Array.isArray(change)) parseNetwork(entry(`/plait/networks/${id}`, change));
      else read[kind](change);
    } catch (error) {
      failure = error;
    }
    assert.instance(failure, BadRecord);
    assert.match((failure as BadRecord).message, reason);
  });
}

records.run();
