// timeout: 120 s

// An address moves to another container with another MAC, on another node, while somebody still remembers the first.
// Without an announcement the second would be unreachable for as long as that memory lasts.

import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { attach } from './support/containers.js';
import { scenarios } from './support/scenarios.js';

const { scenario, run } = scenarios({ nodes: 3 }, async (lab) => {
  await lab.plait('n1', 'network create --subnet 10.10.0.0/24 --subnet fd10:10::/64 app');
  await attach(lab, 'n1', 'watcher');
});

scenario('an address that moves to another node is reached within a second, IPv4 and IPv6', async (lab) => {
  for (const [round, node] of ['n2', 'n3', 'n1'].entries()) {
    const address = '10.10.0.50';
    const address6 = 'fd10:10::50';
    const holder = await attach(lab, node, `h${round}`, { options: `--ip ${address} --ip ${address6}` });
    await sleep(300); // the announcement follows the answer
    for (const target of [address, address6]) await lab.sh('watcher', `ping -n -c 1 -W 1 ${target}`);
    const known = await lab.sh('watcher', 'ip neighbor show dev eth0');
    for (const target of [address, address6]) {
      assert.match(known, new RegExp(`^${target} lladdr ${holder.mac}`, 'm'));
    }
    await lab.plait(node, `detach h${round}`);
  }
});

scenario('the first packet to a container that has just been attached arrives', async (lab) => {
  for (let round = 0; round < 5; round++) {
    const { address } = await attach(lab, 'n2', `f${round}`);
    const { stdout } = await lab.try('watcher', ['ping', '-n', '-c', '1', '-W', '1', address]);
    assert.match(stdout, '1 received', stdout);
  }
});

run();
