/* The packets that are sent, what each place has to know to drop the bad ones, and nothing else of the network. */
import { addrCodec } from '../../datapath/types.gen.js';
import { parseIp, parseMac, toAddr } from '../../model/addresses.js';

export const TARGET = { mac: '02:00:00:00:00:01', address: '192.0.2.1' } as const;
export const VNI = 4096;
export const CONTAINER = { mac: '02:00:00:00:00:03', address: '10.10.0.2', from: '10.10.0.3' } as const;
/** Who may send; of the bad packets none is theirs. */
export const LISTED = ['192.0.2.2', '192.0.2.3', '192.0.2.4'] as const;
const SENDER = { mac: '02:00:00:00:00:66', address: '192.0.2.66' } as const;
const VXLAN_PORT = 4789;

export interface Packet {
  readonly name: string;
  readonly frame: Buffer;
}

export interface BadPacket extends Packet {
  readonly name: 'no I flag' | 'unlisted sender';
  /** For nftables: as few words as tell it from good VXLAN. */
  readonly match: string;
  /** Needed by `match`. */
  readonly set: string;
}

const HAS_VNI = 0x08;
const INNER_SENDER = '02:00:00:00:00:04';
/** 64 bytes of nothing that anybody knows. */
const strange = ethernet(CONTAINER.mac, INNER_SENDER, 0x88b5, Buffer.alloc(64));

export const BAD_PACKETS: readonly BadPacket[] = [
  {
    name: 'no I flag',
    frame: over(SENDER.address, 0, strange),
    match: `udp dport ${VXLAN_PORT} @th,64,8 & ${HAS_VNI} == 0`,
    set: '',
  },
  {
    name: 'unlisted sender',
    frame: over(SENDER.address, HAS_VNI, strange),
    match: `udp dport ${VXLAN_PORT} ip saddr != @senders`,
    set: `set senders { type ipv4_addr; elements = { ${LISTED.join(', ')} } }`,
  },
];

/** For the container, from one who is listed: a UDP datagram of `size` bytes with its checksum. */
export function goodPacket(size: number): Packet {
  const [from, to] = [v4(CONTAINER.from), v4(CONTAINER.address)];
  const datagram = udp(40_000, 9, Buffer.alloc(size, 0x61));
  const pseudo = Buffer.concat([from, to, word(17), word(datagram.length), datagram]);
  datagram.writeUInt16BE(checksum(pseudo), 6);
  const inner = ethernet(CONTAINER.mac, INNER_SENDER, 0x0800, ipv4(from, to, datagram));
  return { name: `UDP ${size} B`, frame: over(LISTED[0], HAS_VNI, inner) };
}

/** VXLAN over IPv4; all checksums are right, or none. */
function over(sender: string, flags: number, inner: Buffer): Buffer {
  const header = Buffer.from([flags, 0, 0, 0, 0, VNI >> 8, VNI & 255, 0]);
  const packet = udp(50_000, VXLAN_PORT, Buffer.concat([header, inner]));
  return ethernet(TARGET.mac, SENDER.mac, 0x0800, ipv4(v4(sender), v4(TARGET.address), packet));
}

function ethernet(to: string, from: string, type: number, payload: Buffer): Buffer {
  return Buffer.concat([parseMac(to), parseMac(from), word(type), payload]);
}

/** Without a checksum. */
function udp(from: number, to: number, payload: Buffer): Buffer {
  return Buffer.concat([word(from), word(to), word(8 + payload.length), word(0), payload]);
}

function ipv4(from: Buffer, to: Buffer, payload: Buffer): Buffer {
  const fields = Buffer.from([0, 1, 0, 0, 64, 17, 0, 0]);
  const header = Buffer.concat([Buffer.from([0x45, 0]), word(20 + payload.length), fields, from, to]);
  header.writeUInt16BE(checksum(header), 10);
  return Buffer.concat([header, payload]);
}

function word(value: number): Buffer {
  return Buffer.from([value >> 8, value & 255]);
}

export function v4(address: string): Buffer {
  return Buffer.from(addrCodec.encode(toAddr(parseIp(address))).subarray(12));
}

/** RFC 1071, of an even number of bytes. */
function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += bytes.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
