// timeout: 400 s

// The control plane breaks while 1000 packets per second pass between two containers; none may be lost, in either
// direction. PLAIT_TEST_OUTAGE_S=60 keeps etcd away for a minute.

import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { waitFor } from '../../src/lab/wait.js';
import { allReach, attach, type Container, reach } from './support/containers.js';
import { losesNothing } from './support/lossless.js';
import { scenarios } from './support/scenarios.js';

const OUTAGE_MS = 1000 * Number(process.env.PLAIT_TEST_OUTAGE_S ?? '8');
let members: Container[] = [];

const { scenario, run } = scenarios({ nodes: 2 }, async (lab) => {
  await lab.plait('n1', 'network create --subnet 10.10.0.0/24 --subnet fd10:10::/64 app');
  members = [
    await attach(lab, 'n1', 'c1', { name: 'web1' }),
    await attach(lab, 'n2', 'c2', { name: 'web2' }),
  ];
  await allReach(lab, members);
});

scenario('kill -9 of the agents and their restart lose no packet', async (lab) => {
  await losesNothing(lab, 'c1', members[1]?.address ?? '', async () => {
    for (const { name } of lab.nodes) await lab.killAgent(name);
    await sleep(1000);
    for (const { name } of lab.nodes) await lab.startAgent(name);
  });
  for (const { name } of lab.nodes) await lab.plait(name, 'verify');
});

scenario('an orderly stop and start of the agents loses no packet', async (lab) => {
  await losesNothing(lab, 'c1', members[1]?.address ?? '', async () => {
    for (const { name } of lab.nodes) await lab.killAgent(name, 'SIGTERM');
    for (const { name } of lab.nodes) await lab.startAgent(name);
  });
});

scenario(
  `etcd away for ${OUTAGE_MS / 1000} s loses no packet, and names are answered all the time`,
  async (lab) => {
    await losesNothing(lab, 'c1', members[1]?.address ?? '', async () => {
      await lab.stopEtcd();
      await sleep(OUTAGE_MS);
      assert.is((await lab.sh('c1', 'dig +short web2')).trim(), members[1]?.address);
      await lab.startEtcd();
    });
  },
);

scenario(
  'agents that restart while etcd is away forward and answer from their last known state',
  async (lab) => {
    await losesNothing(lab, 'c1', members[1]?.address ?? '', async () => {
      await lab.stopEtcd();
      for (const { name } of lab.nodes) await lab.killAgent(name);
      for (const { name } of lab.nodes) await lab.startAgent(name);
      assert.is((await lab.sh('c1', 'dig +short web2')).trim(), members[1]?.address);
      await lab.startEtcd();
    });
  },
);

scenario('after all that the cluster takes changes again, and maps and etcd agree', async (lab) => {
  for (const { name } of lab.nodes) {
    await waitFor(`${name} to follow etcd again`, async () => {
      return (await lab.try(name, ['plait', 'verify'])).status === 0;
    });
  }
  const late = await attach(lab, 'n2', 'c9', { name: 'late' });
  await reach(lab, 'c1', late.address);
});

run();
