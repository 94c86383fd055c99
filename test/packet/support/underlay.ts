/*
 * Frames that arrive on the underlay: good ones, those that are left to the kernel, and those that are dropped. One
 * table for the two hooks there, so that they agree.
 */
import { alice, carol, node, PORT, peer, stranger, VNI } from './actors.js';
import { hex, patch } from './bytes.js';
import { arp, eth, extension, ipv4, ipv6, Protocol, udp, vxlan } from './frames.js';

export const data = Buffer.from('payload of a packet');
export const inner4 = eth(
  alice.mac,
  carol.mac,
  'ipv4',
  ipv4({ from: carol.ip4, to: alice.ip4, protocol: Protocol.udp }, udp(7, 7, data)),
);
export const inner6 = eth(
  alice.mac,
  carol.mac,
  'ipv6',
  ipv6({ from: carol.ip6, to: alice.ip6, next: Protocol.udp }, udp(7, 7, data)),
);
export const innerArp = eth(
  alice.mac,
  carol.mac,
  'arp',
  arp({ operation: 2, senderMac: carol.mac, sender: carol.ip4, targetMac: alice.mac, target: alice.ip4 }),
);

export interface Outer {
  from?: string;
  to?: string;
  port?: number;
  vni?: number;
  flags?: number;
  fragment?: number;
  options?: Buffer;
  udpLength?: number;
  ipLength?: number;
}

function datagram(inner: Uint8Array, { port = PORT, vni = VNI, flags, udpLength }: Outer): Buffer {
  const length = udpLength === undefined ? {} : { length: udpLength };
  return udp(50000, port, vxlan(vni, inner, flags), length);
}

export function over4(inner: Uint8Array, fields: Outer = {}): Buffer {
  const { from = peer.ip4, to = node.ip4 } = fields;
  return eth(
    node.mac,
    peer.mac,
    'ipv4',
    ipv4(
      {
        ...{ from, to, protocol: Protocol.udp, fragment: fields.fragment ?? 0 },
        ...(fields.options && { options: fields.options }),
        ...(fields.ipLength !== undefined && { totalLength: fields.ipLength }),
      },
      datagram(inner, fields),
    ),
  );
}

export function over6(inner: Uint8Array, fields: Outer = {}): Buffer {
  const { from = peer.ip6, to = node.ip6 } = fields;
  return eth(
    node.mac,
    peer.mac,
    'ipv6',
    ipv6(
      {
        ...{ from, to, next: Protocol.udp },
        ...(fields.ipLength !== undefined && { payloadLength: fields.ipLength }),
      },
      datagram(inner, fields),
    ),
  );
}

export const notOurs = [
  { what: 'another UDP port', frame: over4(inner4, { port: 4790 }) },
  { what: 'another UDP port over IPv6', frame: over6(inner4, { port: 4790 }) },
  { what: 'another address', frame: over4(inner4, { to: '192.0.2.77' }) },
  { what: 'another IPv6 address', frame: over6(inner4, { to: '2001:db8::77' }) },
  { what: 'another MAC', frame: patch(over4(inner4), 0, [2]) },
  { what: 'a broadcast', frame: patch(over4(inner4), 0, Buffer.alloc(6, 255)) },
  { what: 'another protocol', frame: patch(over4(inner4), 23, [6]) },
  { what: 'ARP', frame: innerArp },
  {
    what: 'a VLAN tag',
    frame: Buffer.concat([over4(inner4).subarray(0, 12), hex('81000005'), over4(inner4).subarray(12)]),
  },
  { what: 'an outer first fragment', frame: over4(inner4, { fragment: 0x2000 }) },
  { what: 'an outer later fragment', frame: over4(inner4, { fragment: 0x00b9 }) },
  { what: 'outer IP options', frame: over4(inner4, { options: hex('94040000') }) },
  {
    what: 'an outer extension header',
    frame: eth(
      node.mac,
      peer.mac,
      'ipv6',
      ipv6(
        { from: peer.ip6, to: node.ip6, next: Protocol.fragment },
        extension(Protocol.udp, over6(inner4).subarray(54), [0, 0, 1, 0, 0, 0, 1]),
      ),
    ),
  },
  { what: 'bytes behind the IPv4 packet', frame: Buffer.concat([over4(inner4), Buffer.alloc(4)]) },
  { what: 'bytes behind the IPv6 packet', frame: Buffer.concat([over6(inner4), Buffer.alloc(4)]) },
];

const innerTagged = Buffer.concat([inner4.subarray(0, 12), hex('81000005'), inner4.subarray(12)]);
const toThird = patch(inner4, 0, hex('020000000004'));

export const hostile = [
  { reason: 'BAD_VXLAN', what: 'no I flag', frame: over4(inner4, { flags: 0 }) },
  { reason: 'BAD_VXLAN', what: 'every flag but I', frame: over6(inner4, { flags: 0xf7ffffff }) },
  { reason: 'BAD_VXLAN', what: 'a wrong outer header checksum', frame: patch(over4(inner4), 24, [1, 2]) },
  { reason: 'UNKNOWN_VNI', what: 'a VNI that is not live here', frame: over4(inner4, { vni: 5000 }) },
  { reason: 'UNKNOWN_VNI', what: 'VNI 0', frame: over6(inner4, { vni: 0 }) },
  { reason: 'UNKNOWN_VNI', what: 'the highest VNI', frame: over4(inner4, { vni: 0xffffff }) },
  {
    reason: 'UNLISTED_SENDER',
    what: 'a sender that is not of the network',
    frame: over4(inner4, { from: stranger.ip4 }),
  },
  {
    reason: 'UNLISTED_SENDER',
    what: 'such a sender over IPv6',
    frame: over6(inner4, { from: stranger.ip6 }),
  },
  {
    reason: 'UNLISTED_SENDER',
    what: 'our own address as the sender',
    frame: over4(inner4, { from: node.ip4 }),
  },
  {
    reason: 'UNLISTED_SENDER',
    what: "a listed IPv4 sender's address mapped into IPv6",
    frame: over6(inner4, { from: '2001:db8::c000:202' }),
  },
  { reason: 'VLAN', what: 'an inner VLAN tag', frame: over4(innerTagged) },
  { reason: 'UNKNOWN_MAC', what: 'a MAC that lives on a third node', frame: over4(toThird) },
  {
    reason: 'NO_MEMBERS',
    what: 'a broadcast where nobody is',
    frame: over4(patch(inner4, 0, Buffer.alloc(6, 255))),
  },
];
