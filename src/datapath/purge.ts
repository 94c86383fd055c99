/* Leaving the machine as it was before the agent: the opposite of opening the datapath and of every attach. */
import { isBpffs, removeBpffs } from '../net/bpffs.js';
import { removeDevices } from '../net/devices.js';
import { removeFirewall } from '../net/firewall.js';
import { Sysctls } from '../net/sysctl.js';
import { deleteVeths, listVeths } from '../net/veth.js';
import { PinnedLinks } from './links.js';
import { Pins } from './pins.js';

/**
 * Removes host ends (and with them the containers' interfaces), links, maps, programs, the host's devices and firewall
 * table, restores its settings and unmounts the bpffs. The agent must not run. What is gone already is fine.
 */
export async function purge({ bpf, state }: { bpf: string; state: string }): Promise<void> {
  await deleteVeths((await listVeths()).map(({ ifname }) => ifname));
  if (await isBpffs(bpf)) {
    const pins = new Pins(bpf);
    const links = new PinnedLinks(pins);
    for (const name of pins.links()) links.remove(name);
    pins.removeAll();
  }
  await removeDevices();
  await removeFirewall();
  await new Sysctls(state).restore();
  await removeBpffs(bpf);
}
