/* The bad packets that are sent, what each place has to know to drop them, and nothing else of the network. */
import { addrCodec } from '../../datapath/types.gen.js';
import { parseIp, parseMac, toAddr } from '../../model/addresses.js';

export const TARGET = { mac: '02:00:00:00:00:01', address: '192.0.2.1' } as const;
export const VNI = 4096;
/** Who may send; none of them does. */
export const LISTED = ['192.0.2.2', '192.0.2.3', '192.0.2.4'] as const;
const SENDER = { mac: '02:00:00:00:00:66', address: '192.0.2.66' } as const;
const VXLAN_PORT = 4789;

export interface BadPacket {
  readonly name: 'no I flag' | 'unlisted sender';
  readonly frame: Buffer;
  /** For nftables: as few words as tell it from good VXLAN. */
  readonly match: string;
  /** Needed by `match`. */
  readonly set: string;
}

const HAS_VNI = 0x08;

export const BAD_PACKETS: readonly BadPacket[] = [
  {
    name: 'no I flag',
    frame: frame(0),
    match: `udp dport ${VXLAN_PORT} @th,64,8 & ${HAS_VNI} == 0`,
    set: '',
  },
  {
    name: 'unlisted sender',
    frame: frame(HAS_VNI),
    match: `udp dport ${VXLAN_PORT} ip saddr != @senders`,
    set: `set senders { type ipv4_addr; elements = { ${LISTED.join(', ')} } }`,
  },
];

/** VXLAN over IPv4 with 64 bytes behind the inner Ethernet header; all checksums are right, or none. */
function frame(flags: number): Buffer {
  const inner = Buffer.concat([parseMac('02:00:00:00:00:03'), parseMac('02:00:00:00:00:04'), word(0x88b5)]);
  const vxlan = Buffer.concat([
    Buffer.from([flags, 0, 0, 0]),
    Buffer.from([0, VNI >> 8, VNI & 255, 0]),
    inner,
  ]);
  const payload = Buffer.concat([vxlan, Buffer.alloc(64)]);
  const udp = Buffer.concat([word(50_000), word(VXLAN_PORT), word(8 + payload.length), word(0), payload]);
  const ip = Buffer.concat([
    Buffer.from([0x45, 0]),
    word(20 + udp.length),
    Buffer.from([0, 1, 0, 0, 64, 17, 0, 0]),
    v4(SENDER.address),
    v4(TARGET.address),
  ]);
  ip.writeUInt16BE(headerChecksum(ip), 10);
  return Buffer.concat([parseMac(TARGET.mac), parseMac(SENDER.mac), word(0x0800), ip, udp]);
}

function word(value: number): Buffer {
  return Buffer.from([value >> 8, value & 255]);
}

export function v4(address: string): Buffer {
  return Buffer.from(addrCodec.encode(toAddr(parseIp(address))).subarray(12));
}

/** RFC 791, of a header of 20 bytes whose checksum is 0. */
function headerChecksum(header: Buffer): number {
  let sum = 0;
  for (let at = 0; at < header.length; at += 2) sum += header.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
