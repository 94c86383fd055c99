/* The programs' options (bpf/lib/config.h) from what is known of the node. Pure. */
import { parseIp, toAddr } from '../model/addresses.js';
import type { Devices } from '../net/devices.js';
import type { Options } from './loader.js';
import { addrCodec } from './types.gen.js';

export interface NodeOptions {
  /** This node's underlay address. */
  readonly address: string;
  readonly port: number;
  readonly devices: Devices;
  readonly dropSamplesPerSecond: number;
  readonly decapL3: boolean;
}

export function optionsOf(node: NodeOptions): Options {
  return {
    vxlan_port: node.port,
    plait0_ifindex: node.devices.host,
    vxlan_ifindex: node.devices.vxlan,
    drop_samples_per_second: node.dropSamplesPerSecond,
    decap_l3_flags: node.decapL3,
    ...addressOptions(node.address),
  };
}

/** vtep_addr4 is a __be32: its bytes are given, so that nobody swaps them. */
function addressOptions(address: string): Options {
  const ip = parseIp(address);
  const bytes = addrCodec.encode(toAddr(ip));
  return ip.version === 4 ? { vtep_addr4: bytes.subarray(12) } : { vtep_addr6: bytes };
}
