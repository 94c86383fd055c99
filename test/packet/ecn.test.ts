/* RFC 6040 section 4.2, figure 4: every outer field on every inner one, both families inside and outside. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { EndpointFlags } from '../../src/datapath/types.gen.js';
import { alice, carol, node, PORT, peer, VNI } from './support/actors.js';
import { be16, checksum, patch } from './support/bytes.js';
import { TestDatapath } from './support/datapath.js';
import { arp, eth, ipv4, ipv6, Protocol, udp, vxlan } from './support/frames.js';
import { assertDeliveryAgrees, assertDropped, assertForwarded } from './support/rows.js';
import { decode } from './support/tshark.js';

const test = suite('ecn');
const datapath = await TestDatapath.load();
datapath.setEndpoint(EndpointFlags.TAKES_XDP);
test.after(() => datapath.close());

const [NOT, ECT1, ECT0, CE] = [0, 1, 2, 3];
const names = ['not-ECT', 'ECT(1)', 'ECT(0)', 'CE'];
const DROP = -1;

/* Rows: the inner field; columns: the outer one, in the order of the RFC. */
const columns = [NOT, ECT0, ECT1, CE];
const table = [
  { inner: NOT, leaves: [NOT, NOT, NOT, DROP] },
  { inner: ECT0, leaves: [ECT0, ECT0, ECT1, CE] },
  { inner: ECT1, leaves: [ECT1, ECT1, ECT1, CE] },
  { inner: CE, leaves: [CE, CE, CE, CE] },
];

const DSCP = 0xb8;
const data = udp(7, 7, Buffer.from('plait'));
const inner4 = (ecn: number): Buffer =>
  eth(
    alice.mac,
    carol.mac,
    'ipv4',
    ipv4({ from: carol.ip4, to: alice.ip4, protocol: Protocol.udp, tos: DSCP | ecn }, data),
  );
const inner6 = (ecn: number): Buffer =>
  eth(
    alice.mac,
    carol.mac,
    'ipv6',
    ipv6({ from: carol.ip6, to: alice.ip6, next: Protocol.udp, trafficClass: DSCP | ecn }, data),
  );
const over4 = (inner: Buffer, tos: number): Buffer =>
  eth(
    node.mac,
    peer.mac,
    'ipv4',
    ipv4({ from: peer.ip4, to: node.ip4, protocol: Protocol.udp, tos }, udp(50000, PORT, vxlan(VNI, inner))),
  );
const over6 = (inner: Buffer, trafficClass: number): Buffer =>
  eth(
    node.mac,
    peer.mac,
    'ipv6',
    ipv6(
      { from: peer.ip6, to: node.ip6, next: Protocol.udp, trafficClass },
      udp(50000, PORT, vxlan(VNI, inner)),
    ),
  );

for (const { inner, leaves } of table) {
  for (const [i, outer] of columns.entries()) {
    const left = leaves[i] ?? DROP;
    test(`${names[outer]} outside, ${names[inner]} inside: ${left === DROP ? 'dropped' : names[left]}`, () => {
      for (const wrap of [over4, over6]) {
        for (const [frame, expected, field] of [
          [inner4(inner), inner4(left & 3), 'ip.dsfield'],
          [inner6(inner), inner6(left & 3), 'ipv6.tclass'],
        ] as const) {
          const packet = wrap(frame, 0x28 | outer);
          const verdict = assertDeliveryAgrees(datapath, packet, field);
          assert.is(verdict, left === DROP ? 'drop' : 'redirect', `${field}, by XDP`);
          if (left === DROP) {
            assertDropped(datapath.run('from_underlay', packet), 'ECN', packet, field);
            continue;
          }
          const out = assertForwarded(datapath, 'from_underlay', packet, ['REMOTE_RECEIVED']);
          assert.is(out.toString('hex'), expected.toString('hex'));
          if (left === inner) continue;
          const decoded = decode(out, [field, 'ip.checksum.status']);
          assert.is(Number(decoded[field]), DSCP | left);
          assert.is(decoded['ip.checksum.status'], field === 'ip.dsfield' ? '1' : '');
        }
      }
    });
  }
}

test('an inner frame that is not IP has no ECN field: it is delivered even when the outer one says CE', () => {
  const fields = {
    operation: 2,
    senderMac: carol.mac,
    sender: carol.ip4,
    targetMac: alice.mac,
    target: alice.ip4,
  };
  const frame = eth(alice.mac, carol.mac, 'arp', arp(fields));
  const out = assertForwarded(datapath, 'from_underlay', over4(frame, CE), ['REMOTE_RECEIVED']);
  assert.ok(out.equals(frame));
});

test('the IPv4 checksum that comes to 0xffff stays right', () => {
  for (let id = 0; id < 64; id++) {
    const frame = patch(inner4(ECT0), 18, [id, 0xff - id]);
    const good = patch(frame, 24, [0, 0]);
    const sum = checksum(good.subarray(14, 34));
    const packet = over4(patch(good, 24, be16(sum)), CE);
    const out = assertForwarded(datapath, 'from_underlay', packet, ['REMOTE_RECEIVED']);
    assert.is(checksum(out.subarray(14, 34)), 0);
  }
});

test.run();
