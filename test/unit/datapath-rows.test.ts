import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { optionsOf } from '../../src/datapath/options.js';
import {
  DROP_NAMES,
  dropDescription,
  EVENT_NAMES,
  eventDescription,
  HOOK_NAMES,
} from '../../src/datapath/reasons.js';
import { endpointShape, fdbShape, NO_NAMES, rowText, subnetShape } from '../../src/datapath/rows.js';
import { rowFor } from '../../src/datapath/vteps.js';
import { formatAddr, parseIp, toAddr } from '../../src/model/addresses.js';

const test = suite('datapath: rows');

test('every drop reason and every event of the object has a sentence', () => {
  assert.is(DROP_NAMES[0], 'none');
  assert.ok(DROP_NAMES.includes('spoofed-mac') && HOOK_NAMES.includes('from_underlay'));
  for (const name of DROP_NAMES) assert.not.match(dropDescription(name), 'does not know', name);
  for (const name of EVENT_NAMES) assert.not.match(eventDescription(name), 'does not know', name);
});

test('a VTEP without a route keeps its address and its IP version, and is not valid', () => {
  const row = rowFor('2001:db8::2', undefined);
  assert.is(row.flags, 2);
  assert.is(formatAddr(row.remote), '2001:db8::2');
  assert.is(row.ifindex, 0);
});

test('a VTEP with a route has what the packet needs', () => {
  const route = { ifindex: 3, nextHop: '192.0.2.254', local: '192.0.2.1', mtu: 1500 };
  const row = rowFor('203.0.113.5', route);
  assert.equal([row.flags, row.ifindex, row.mtu], [1, 3, 1450]);
  assert.equal([row.remote, row.local, row.nextHop].map(formatAddr), [
    '203.0.113.5',
    '192.0.2.1',
    '192.0.2.254',
  ]);
});

test('over IPv6 the outer headers take 20 bytes more', () => {
  const route = { ifindex: 3, nextHop: 'fe80::1', local: '2001:db8::1', mtu: 1500 };
  assert.is(rowFor('2001:db8::2', route).mtu, 1430);
});

test('the own address is an option of its family, in network byte order', () => {
  const node = {
    port: 4789,
    devices: { vxlan: 5, host: 6, hostPeer: 7 },
    dropSamplesPerSecond: 10,
    decapL3: true,
  };
  const v4 = optionsOf({ ...node, address: '192.0.2.1' });
  assert.equal(Buffer.from(v4.vtep_addr4 as Uint8Array).toString('hex'), 'c0000201');
  assert.is(v4.vtep_addr6, undefined);
  const v6 = optionsOf({ ...node, address: '2001:db8::1' });
  assert.equal(Buffer.from(v6.vtep_addr6 as Uint8Array).toString('hex'), '20010db8000000000000000000000001');
});

test('a row reads as names and values, without what is not known', () => {
  const fdb = fdbShape.value({ ifindex: 0, slot: 7 }, NO_NAMES);
  assert.is(rowText(fdb), 'vtepIndex 7');
  const subnet = subnetShape.key({ prefixLen: 120, addr: toAddr(parseIp('10.10.0.0')) }, NO_NAMES);
  assert.is(rowText(subnet), 'subnet 10.10.0.0/24');
});

test('an endpoint row shows addresses as text and none as null', () => {
  const none = { w: [0, 0, 0, 0] };
  const mac = Uint8Array.of(2, 0, 0, 0, 0, 1);
  const row = endpointShape.value(
    { vni: 4096, slot: 3, flags: 1, mtu: 1450, mac, ip4: 0x0a0a0002, ip6: none, linkLocal: none },
    NO_NAMES,
  );
  assert.equal([row.mac, row.ip4, row.ip6, row.internal], ['02:00:00:00:00:01', '10.10.0.2', null, true]);
  assert.is(row.takesXdp, false);
});

test.run();
