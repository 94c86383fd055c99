import { array, be32, bytes, type Codec, struct, u16, u32, u64 } from 'libbpf-ts-bindings';
export interface Addr { w: number[] }
export const addrCodec: Codec<Addr> = struct(16, [['w', 0, array(be32, 4)]]);
export interface FdbKey { vni: number; mac: Uint8Array }
export const fdbKeyCodec: Codec<FdbKey> = struct(12, [['vni', 0, u32], ['mac', 4, bytes(6)]]);
export interface FdbEntry { ifindex: number; slot: number }
export const fdbEntryCodec: Codec<FdbEntry> = struct(8, [['ifindex', 0, u32], ['slot', 4, u32]]);
export interface NeighborKey { vni: number; addr: Addr }
export const neighborKeyCodec: Codec<NeighborKey> = struct(20, [['vni', 0, u32], ['addr', 4, addrCodec]]);
export interface Neighbor { mac: Uint8Array }
export const neighborCodec: Codec<Neighbor> = struct(8, [['mac', 0, bytes(6)]]);
export interface Endpoint { vni: number; slot: number; flags: number; mtu: number; mac: Uint8Array; ip4: number; ip6: Addr; linkLocal: Addr }
export const endpointCodec: Codec<Endpoint> = struct(56, [['vni', 0, u32], ['slot', 4, u32], ['flags', 8, u32], ['mtu', 12, u16], ['mac', 14, bytes(6)], ['ip4', 20, be32], ['ip6', 24, addrCodec], ['linkLocal', 40, addrCodec]]);
export interface Network { flags: number; mtu: number; gateway4: Addr; gateway6: Addr }
export const networkCodec: Codec<Network> = struct(40, [['flags', 0, u32], ['mtu', 4, u32], ['gateway4', 8, addrCodec], ['gateway6', 24, addrCodec]]);
export interface SubnetKey { prefixLen: number; addr: Addr }
export const subnetKeyCodec: Codec<SubnetKey> = struct(20, [['prefixLen', 0, u32], ['addr', 4, addrCodec]]);
export interface Subnet { vni: number }
export const subnetCodec: Codec<Subnet> = struct(4, [['vni', 0, u32]]);
export interface Vtep { flags: number; ifindex: number; mtu: number; remote: Addr; local: Addr; nextHop: Addr }
export const vtepCodec: Codec<Vtep> = struct(64, [['flags', 0, u32], ['ifindex', 4, u32], ['mtu', 8, u32], ['remote', 16, addrCodec], ['local', 32, addrCodec], ['nextHop', 48, addrCodec]]);
export interface SenderKey { vni: number; addr: Addr }
export const senderKeyCodec: Codec<SenderKey> = struct(20, [['vni', 0, u32], ['addr', 4, addrCodec]]);
export interface Sender { vtep: number }
export const senderCodec: Codec<Sender> = struct(4, [['vtep', 0, u32]]);
export interface FloodMember { ifindex: number; slot: number }
export const floodMemberCodec: Codec<FloodMember> = struct(8, [['ifindex', 0, u32], ['slot', 4, u32]]);
export interface Traffic { rxPackets: bigint; rxBytes: bigint; txPackets: bigint; txBytes: bigint; drops: bigint }
export const trafficCodec: Codec<Traffic> = struct(40, [['rxPackets', 0, u64], ['rxBytes', 8, u64], ['txPackets', 16, u64], ['txBytes', 24, u64], ['drops', 32, u64]]);
export interface Counter { packets: bigint; bytes: bigint }
export const counterCodec: Codec<Counter> = struct(16, [['packets', 0, u64], ['bytes', 8, u64]]);
export interface DropEvent { timeNs: bigint; reason: number; hook: number; ifindex: number; vni: number; len: number; captured: number; head: Uint8Array }
export const dropEventCodec: Codec<DropEvent> = struct(128, [['timeNs', 0, u64], ['reason', 8, u32], ['hook', 12, u32], ['ifindex', 16, u32], ['vni', 20, u32], ['len', 24, u32], ['captured', 28, u32], ['head', 32, bytes(96)]]);
