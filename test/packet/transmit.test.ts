/*
 * from_container inside the transmission of a netkit, where there was no reception: the same frames come out and the same
 * is counted, but nothing ends by a dropping verdict, which would be the sender's error.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { alice, bob, carol, everyone, gateway } from './support/actors.js';
import { patch } from './support/bytes.js';
import { TestDatapath } from './support/datapath.js';
import { arp, eth, ipv4, Protocol, udp } from './support/frames.js';

const test = suite('transmit');
const datapath = await TestDatapath.load();
test.after(() => datapath.close());

const v4 = (mac: string, to: string, from = alice.ip4): Buffer =>
  eth(
    mac,
    alice.mac,
    'ipv4',
    ipv4({ from, to, protocol: Protocol.udp, fragment: 0x4000 }, udp(7, 7, Buffer.alloc(26))),
  );
const question = arp({ operation: 1, senderMac: alice.mac, sender: alice.ip4, target: bob.ip4 });

for (const [what, frame] of [
  ['to a container of this node', v4(bob.mac, bob.ip4)],
  ['to another node', v4(carol.mac, carol.ip4)],
  ['to the gateway', v4(gateway.mac, '198.51.100.1')],
  ['an ARP question', eth(everyone.mac, alice.mac, 'arp', question)],
  /* skb->protocol is never its length field: it is read again, and the frame stays as it is. */
  ['802.3 with a length instead of a type', eth(bob.mac, alice.mac, 46, Buffer.alloc(46, 0x42))],
] as const) {
  test(`${what}: as behind a reception`, () => {
    const received = datapath.run('from_container', frame);
    const sent = datapath.run('from_container', frame, { transmitting: true });
    assert.is(received.verdict, 'redirect', 'the precondition');
    // Each packet has an IP-ID of its own, and the outer header's checksum follows.
    const blank = (out: Buffer): Buffer =>
      out.length > frame.length ? patch(patch(out, 18, [0, 0]), 24, [0, 0]) : out;
    assert.equal({ ...sent, out: [...blank(sent.out)] }, { ...received, out: [...blank(received.out)] });
  });
}

for (const [reason, frame] of [
  ['SPOOFED_IP', v4(bob.mac, bob.ip4, bob.ip4)],
  ['SPOOFED_MAC', patch(v4(bob.mac, bob.ip4), 6, [2, 0, 0, 0, 0, 9])],
  ['VLAN', eth(bob.mac, alice.mac, 0x8100, Buffer.alloc(50))],
] as const) {
  test(`${reason}: counted, and a redirect to nowhere`, () => {
    const received = datapath.run('from_container', frame);
    assert.equal([received.verdict, received.drops], ['drop', [reason]], 'the precondition');
    const sent = datapath.run('from_container', frame, { transmitting: true });
    assert.equal({ ...sent, out: [] }, { verdict: 'redirect', out: [], drops: [reason], events: [] });
    assert.ok(sent.out.equals(frame), 'the frame is untouched');
  });
}

test.run();
