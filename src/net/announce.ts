/*
 * Tells a network that an address has a new MAC. Others may remember the MAC of an endpoint that had the address
 * before, and would talk to nobody for up to half a minute.
 *
 * The kernel announces by itself (a gratuitous ARP request, an unsolicited neighbour advertisement) when it is told to
 * and a device's MAC is set, even to what it is.
 */
import { run } from './run.js';

const ANNOUNCE = `
for f in ipv4/conf/$1/arp_notify ipv6/conf/$1/ndisc_notify; do
  if [ -w /proc/sys/net/$f ]; then echo 1 > /proc/sys/net/$f; fi
done
exec ip link set dev $1 address $2`;

export async function announce(netns: string, ifname: string, mac: string): Promise<void> {
  await run('sh', ['-c', ANNOUNCE, 'sh', ifname, mac], { doing: `announce ${ifname} of ${netns}`, netns });
}
