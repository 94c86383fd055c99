/* From the host: the destination address finds the network and the container. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { neighborCodec, neighborKeyCodec } from '../../src/datapath/types.gen.js';
import { bob, carol, erin, gateway, MTU, nobody, VNI } from './support/actors.js';
import { mac } from './support/bytes.js';
import { addr, TestDatapath } from './support/datapath.js';
import { arp, eth, ipv4, ipv6, Protocol, udp } from './support/frames.js';
import { assertDropped } from './support/rows.js';
import { decode } from './support/tshark.js';

const test = suite('from the host');
const datapath = await TestDatapath.load();
test.after(() => datapath.close());

/* Without ARP the kernel writes the device's own MAC as the destination. */
const data = udp(53, 53, Buffer.from('plait'));
const v4 = (to: string, body: Uint8Array = data): Buffer =>
  eth(
    gateway.mac,
    gateway.mac,
    'ipv4',
    ipv4({ from: '203.0.113.7', to, protocol: Protocol.udp, fragment: 0x4000 }, body),
  );
const v6 = (to: string, body: Uint8Array = data): Buffer =>
  eth(gateway.mac, gateway.mac, 'ipv6', ipv6({ from: '2001:db8:7::7', to, next: Protocol.udp }, body));

test('delivers to a container of this node, by its address', () => {
  for (const frame of [v4(bob.ip4), v6(bob.ip6)]) {
    const before = datapath.traffic('endpoint_counters', bob.slot);
    const run = datapath.run('from_host', frame);
    assert.equal({ ...run, out: [] }, { verdict: 'redirect', out: [], drops: [], events: ['FROM_HOST'] });
    const expected = Buffer.concat([mac(bob.mac), mac(gateway.mac), frame.subarray(12)]);
    assert.is(run.out.toString('hex'), expected.toString('hex'));
    assert.is(datapath.traffic('endpoint_counters', bob.slot).rxPackets - before.rxPackets, 1n);
  }
});

const lost = datapath.map('neighbors').typed(neighborKeyCodec, neighborCodec);
lost.set({ vni: VNI, addr: addr('10.10.0.50') }, { mac: mac(nobody.mac) });
lost.set({ vni: VNI, addr: addr('10.10.0.51') }, { mac: mac(erin.mac) });

const refused = [
  { reason: 'HOST_REMOTE', what: 'for a container of another node', frame: v4(carol.ip4) },
  { reason: 'HOST_REMOTE', what: 'for such a container over IPv6', frame: v6(carol.ip6) },
  { reason: 'HOST_REMOTE', what: 'for a container of a lost node', frame: v4('10.10.0.51') },
  { reason: 'HOST_UNROUTED', what: 'for an address that nobody has', frame: v4(nobody.ip4) },
  { reason: 'HOST_UNROUTED', what: 'for an address of no network', frame: v4('198.51.100.1') },
  {
    reason: 'HOST_UNROUTED',
    what: "for a subnet's broadcast address, which nobody has",
    frame: v4('10.10.0.255'),
  },
  {
    reason: 'HOST_UNROUTED',
    what: 'that is not IP',
    frame: eth(
      gateway.mac,
      gateway.mac,
      'arp',
      arp({ operation: 1, senderMac: gateway.mac, sender: gateway.ip4, target: bob.ip4 }),
    ),
  },
  { reason: 'UNKNOWN_MAC', what: 'for a neighbour that is in no FDB', frame: v4('10.10.0.50') },
  {
    reason: 'VLAN',
    what: 'with a VLAN tag',
    frame: Buffer.concat([
      v4(bob.ip4).subarray(0, 12),
      Buffer.from([0x81, 0, 0, 5]),
      v4(bob.ip4).subarray(12),
    ]),
  },
];

const groupMac = (frame: Buffer, to: string): Buffer => Buffer.concat([mac(to), frame.subarray(6)]);
const forMany = [
  { what: 'an MLD report', frame: groupMac(v6('ff02::16'), '33:33:00:00:00:16') },
  { what: 'a neighbour solicitation', frame: groupMac(v6('ff02::1:ff00:1'), '33:33:ff:00:00:01') },
  { what: 'an IGMP report', frame: groupMac(v4('224.0.0.22'), '01:00:5e:00:00:16') },
  { what: 'the last multicast address', frame: v4('239.255.255.255') },
  { what: "a broadcast, to which the kernel writes the device's own MAC", frame: v4('255.255.255.255') },
  { what: 'IPv6 multicast with such a MAC', frame: v6('ff02::1') },
  {
    what: 'what is not IP, to a group',
    frame: groupMac(
      eth(
        gateway.mac,
        gateway.mac,
        'arp',
        arp({ operation: 1, senderMac: gateway.mac, sender: gateway.ip4, target: bob.ip4 }),
      ),
      '01:80:c2:00:00:0e',
    ),
  },
];

for (const { what, frame } of forMany) {
  test(`lets ${what} go nowhere, which is no drop`, () => {
    const run = datapath.run('from_host', frame);
    assert.equal({ ...run, out: [] }, { verdict: 'drop', out: [], drops: [], events: ['HOST_MULTICAST'] });
  });
}

for (const to of ['240.0.0.1', '223.255.255.255', '255.255.255.254']) {
  test(`counts ${to}, next to the addresses for many, as a drop`, () => {
    assertDropped(datapath.run('from_host', v4(to)), 'HOST_UNROUTED', v4(to), to);
  });
}

for (const { reason, what, frame } of refused) {
  test(`drops what is ${what}`, () => {
    assert.is(datapath.run('from_host', v4(bob.ip4)).verdict, 'redirect');
    assertDropped(datapath.run('from_host', frame), reason, frame, what);
  });
}

test('tells the sender when a packet does not fit, in the name of the destination', () => {
  const big = Buffer.alloc(MTU + 100);
  for (const [frame, source, check] of [
    [v4(bob.ip4, udp(1, 1, big)), 'ip.src', 'icmp.checksum.status'],
    [v6(bob.ip6, udp(1, 1, big)), 'ipv6.src', 'icmpv6.checksum.status'],
  ] as const) {
    const run = datapath.run('from_host', frame);
    assert.equal(
      { ...run, out: [] },
      { verdict: 'redirect', out: [], drops: ['TOO_BIG_ANSWERED'], events: [] },
    );
    const decoded = decode(run.out, [source, check]);
    assert.is(decoded[source].split(',')[0], source === 'ip.src' ? bob.ip4 : bob.ip6);
    assert.is(decoded[check], '1');
  }
});

test.run();
