/*
 * One line about an Ethernet frame of which perhaps only the beginning is there: enough to see who talked to whom.
 * Pure; it never throws, whatever the bytes.
 */
import { formatIp, formatMac } from '../model/addresses.js';

const ETHERNET = 14;
const IPV4 = 20;
const IPV6 = 40;
const VXLAN_PORT = 4789;
const PROTOCOLS: Readonly<Record<number, string>> = { 1: 'icmp', 6: 'tcp', 17: 'udp', 58: 'icmpv6' };

export function summarize(frame: Uint8Array): string {
  const bytes = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (bytes.byteLength < ETHERNET) return `${bytes.byteLength} bytes of an Ethernet header`;
  const macs = `${formatMac(frame.subarray(6, 12))} > ${formatMac(frame.subarray(0, 6))}`;
  const type = bytes.getUint16(12);
  return `${macs} ${payload(type, tail(bytes, ETHERNET))}`;
}

function payload(type: number, bytes: DataView): string {
  if (type === 0x0800) return ipv4(bytes);
  if (type === 0x86dd) return ipv6(bytes);
  if (type === 0x0806) return arp(bytes);
  return `type 0x${type.toString(16).padStart(4, '0')}`;
}

function ipv4(bytes: DataView): string {
  if (bytes.byteLength < IPV4) return 'ipv4, cut short';
  const headerLength = (bytes.getUint8(0) & 0x0f) * 4;
  const fragment = bytes.getUint16(6) & 0x1fff;
  const [source, destination] = [address(bytes, 12, 4), address(bytes, 16, 4)];
  if (fragment !== 0) return `${source} > ${destination} fragment at ${fragment * 8}`;
  return transport(bytes.getUint8(9), source, destination, tail(bytes, Math.max(headerLength, IPV4)));
}

function ipv6(bytes: DataView): string {
  if (bytes.byteLength < IPV6) return 'ipv6, cut short';
  return transport(bytes.getUint8(6), address(bytes, 8, 16), address(bytes, 24, 16), tail(bytes, IPV6));
}

function transport(protocol: number, source: string, destination: string, bytes: DataView): string {
  const name = PROTOCOLS[protocol] ?? `protocol ${protocol}`;
  const hasPorts = protocol === 6 || protocol === 17;
  if (!hasPorts || bytes.byteLength < 4)
    return `${source} > ${destination} ${name}${icmpType(protocol, bytes)}`;
  const [from, to] = [bytes.getUint16(0), bytes.getUint16(2)];
  const inner = protocol === 17 && to === VXLAN_PORT ? vxlan(tail(bytes, 8)) : '';
  return `${withPort(source, from)} > ${withPort(destination, to)} ${name}${inner}`;
}

/** An IPv6 address in brackets (RFC 3986 section 3.2.2): its colons end somewhere. */
function withPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function icmpType(protocol: number, bytes: DataView): string {
  const isIcmp = protocol === 1 || protocol === 58;
  return isIcmp && bytes.byteLength >= 2 ? ` type ${bytes.getUint8(0)} code ${bytes.getUint8(1)}` : '';
}

function vxlan(bytes: DataView): string {
  return bytes.byteLength < 8 ? ' vxlan, cut short' : ` vxlan vni ${bytes.getUint32(4) >>> 8}`;
}

/** RFC 826, for IPv4 over Ethernet. */
function arp(bytes: DataView): string {
  if (bytes.byteLength < 28) return 'arp, cut short';
  const [sender, target] = [address(bytes, 14, 4), address(bytes, 24, 4)];
  if (bytes.getUint16(6) === 1) return `arp who has ${target}, tell ${sender}`;
  const mac = formatMac(new Uint8Array(bytes.buffer, bytes.byteOffset + 8, 6));
  return `arp ${sender} is at ${mac}`;
}

function address(bytes: DataView, offset: number, length: 4 | 16): string {
  let value = 0n;
  for (let at = offset; at < offset + length; at++) value = (value << 8n) | BigInt(bytes.getUint8(at));
  return formatIp({ version: length === 4 ? 4 : 6, value });
}

function tail(bytes: DataView, offset: number): DataView {
  const start = Math.min(offset, bytes.byteLength);
  return new DataView(bytes.buffer, bytes.byteOffset + start, bytes.byteLength - start);
}
