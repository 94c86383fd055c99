/* The host as a router between the networks and the world outside: what it takes beside routes. */

import { HOST_DEVICE } from './devices.js';
import { devicesWithSettings, type Sysctls } from './sysctl.js';

/** Reverse path filtering: a source must be reachable by some device, not by the one that it came from. */
const LOOSE = '2';

/**
 * Turns on forwarding for IPv4. The kernel checks it on the device where a packet arrives, and that is any device for
 * replies from outside.
 */
export async function forwardIpv4(sysctls: Sysctls): Promise<void> {
  await sysctls.set('net/ipv4/ip_forward', '1');
  await sysctls.set(`net/ipv4/conf/${HOST_DEVICE}/rp_filter`, LOOSE);
}

/**
 * Turns on forwarding for IPv6. A host that forwards ignores router advertisements unless told otherwise
 * (accept_ra 2), and would lose its own default route some minutes later.
 */
export async function forwardIpv6(sysctls: Sysctls): Promise<void> {
  await sysctls.set(`net/ipv6/conf/${HOST_DEVICE}/disable_ipv6`, '0');
  if ((await sysctls.get('net/ipv6/conf/all/forwarding')) === '1') return;
  for (const device of await devicesWithSettings(6)) {
    const setting = `net/ipv6/conf/${device}/accept_ra`;
    if (device !== HOST_DEVICE && (await sysctls.get(setting)) === '1') await sysctls.set(setting, '2');
  }
  await sysctls.set('net/ipv6/conf/all/forwarding', '1');
}

/**
 * The slow path hands packets of other nodes to the stack, which may route replies elsewhere: strict reverse path
 * filtering would drop them. The stricter of the device's own value and that of all counts, 2 being over 1.
 */
export async function loosenReversePath(sysctls: Sysctls, device: string): Promise<void> {
  const own = `net/ipv4/conf/${device}/rp_filter`;
  const values = [await sysctls.get('net/ipv4/conf/all/rp_filter'), await sysctls.get(own)];
  if (values.includes('1') && !values.includes(LOOSE)) await sysctls.set(own, LOOSE);
}
