/* Builds the frames that go in. What comes out is judged by literal bytes and by tshark, never by this file. */
import { be16, be32, checksum, ip, mac } from './bytes.js';

const EtherType = { ipv4: 0x0800, arp: 0x0806, ipv6: 0x86dd } as const;
export const Protocol = {
  hopByHop: 0,
  icmp: 1,
  tcp: 6,
  udp: 17,
  routing: 43,
  fragment: 44,
  icmp6: 58,
  destination: 60,
};

export function eth(
  to: string,
  from: string,
  type: keyof typeof EtherType | number,
  payload: Uint8Array,
): Buffer {
  const number = typeof type === 'number' ? type : EtherType[type];
  return Buffer.concat([mac(to), mac(from), be16(number), payload]);
}

export interface ArpFields {
  operation: number;
  senderMac: string;
  sender: string;
  targetMac?: string;
  target: string;
}

export function arp(fields: ArpFields): Buffer {
  const { operation, senderMac, sender, targetMac = '000000000000', target } = fields;
  return Buffer.concat([
    Buffer.from([0, 1, 8, 0, 6, 4]),
    be16(operation),
    ...[mac(senderMac), ip(sender), mac(targetMac), ip(target)],
  ]);
}

export interface Ipv4Fields {
  from: string;
  to: string;
  protocol: number;
  tos?: number;
  ttl?: number;
  id?: number;
  /** Flags and fragment offset, as in the header. */
  fragment?: number;
  /** A multiple of 4 bytes. */
  options?: Uint8Array;
  /** What the header claims, when it lies. */
  totalLength?: number;
}

export function ipv4(fields: Ipv4Fields, payload: Uint8Array): Buffer {
  const { tos = 0, ttl = 64, id = 1, fragment = 0, options = Buffer.alloc(0) } = fields;
  const header = Buffer.concat([
    Buffer.from([0x45 + options.length / 4, tos]),
    be16(fields.totalLength ?? 20 + options.length + payload.length),
    ...[be16(id), be16(fragment), Buffer.from([ttl, fields.protocol, 0, 0])],
    ...[ip(fields.from), ip(fields.to), options],
  ]);
  header.writeUInt16BE(checksum(header), 10);
  return Buffer.concat([header, payload]);
}

export interface Ipv6Fields {
  from: string;
  to: string;
  next: number;
  trafficClass?: number;
  hopLimit?: number;
  payloadLength?: number;
}

export function ipv6(fields: Ipv6Fields, payload: Uint8Array): Buffer {
  const { trafficClass = 0, hopLimit = 64, payloadLength = payload.length } = fields;
  return Buffer.concat([
    be32((6 << 28) | (trafficClass << 20)),
    be16(payloadLength),
    Buffer.from([fields.next, hopLimit]),
    ...[ip(fields.from), ip(fields.to), payload],
  ]);
}

/** An IPv6 extension header of 8 bytes before `payload`. */
export function extension(next: number, payload: Uint8Array, body = [0, 1, 4, 0, 0, 0, 0]): Buffer {
  return Buffer.concat([Buffer.from([next, ...body]), payload]);
}

/** Without a checksum where `check` is left out: 0. */
export function udp(
  from: number,
  to: number,
  payload: Uint8Array,
  claims: { length?: number; check?: number } = {},
): Buffer {
  const { length = payload.length + 8, check = 0 } = claims;
  return Buffer.concat([be16(from), be16(to), be16(length), be16(check), payload]);
}

export function tcp(payload: Uint8Array): Buffer {
  return Buffer.concat([
    be16(40000),
    be16(80),
    be32(1),
    be32(1),
    Buffer.from([0x50, 0x18, 1, 0, 0, 0, 0, 0]),
    payload,
  ]);
}

export function echo(payload: Uint8Array): Buffer {
  const message = Buffer.concat([Buffer.from([8, 0, 0, 0, 0, 1, 0, 1]), payload]);
  message.writeUInt16BE(checksum(message), 2);
  return message;
}

/** An ICMPv6 message with its checksum for these addresses. */
export function icmp6(from: string, to: string, type: number, body: Uint8Array): Buffer {
  const message = Buffer.concat([Buffer.from([type, 0, 0, 0]), body]);
  message.writeUInt16BE(checksum(ip(from), ip(to), be32(message.length), be32(Protocol.icmp6), message), 2);
  return message;
}

export function vxlan(vni: number, frame: Uint8Array, flags = 0x08000000): Buffer {
  return Buffer.concat([be32(flags), be32(vni << 8), frame]);
}
