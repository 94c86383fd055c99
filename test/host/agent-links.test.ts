// timeout: 200 s

// Which devices an agent gives its containers, and that those which exist keep theirs when it changes its mind.

import * as assert from 'uvu/assert';
import type { Lab } from '../../src/lab/lab.js';
import { type LinkKind, netkitObstacle } from '../../src/net/netkit.js';
import { allReach, attach, type Container } from './support/containers.js';
import { scenarios } from './support/scenarios.js';

const obstacle = await netkitObstacle();
const other: LinkKind = obstacle === undefined ? 'netkit' : 'veth';
if (obstacle !== undefined) console.log(`SKIP netkit: ${obstacle}`);

// The agents inherit it.
process.env.PLAIT_LINK = 'veth';
const containers: Container[] = [];

const { scenario, run } = scenarios({ nodes: 2 }, async (lab) => {
  await lab.plait('n1', 'network create --subnet 10.10.0.0/24 --subnet fd10:10::/64 app');
  for (const node of ['n1', 'n2']) containers.push(await attach(lab, node, `v${node}`));
});

/** What `ip` calls a container's device. */
async function kindOf(lab: Lab, { container }: Container): Promise<string | undefined> {
  const [link] = JSON.parse(await lab.sh(container, 'ip -j -d link show eth0')) as {
    linkinfo: { info_kind: string };
  }[];
  return link?.linkinfo.info_kind;
}

scenario('asked for veth, it makes veths and says so', async (lab) => {
  assert.match(await lab.plait('n1', 'status'), /links: +veth for new endpoints \(--link veth\)/);
  for (const container of containers) assert.is(await kindOf(lab, container), 'veth');
  await allReach(lab, containers);
});

scenario(
  `started again for ${other}, new ones get it, old ones keep theirs, and all reach all`,
  async (lab) => {
    process.env.PLAIT_LINK = other;
    for (const node of ['n1', 'n2']) {
      await lab.killAgent(node, 'SIGTERM');
      await lab.startAgent(node);
    }
    assert.match(await lab.plait('n1', 'status'), new RegExp(`links: +${other} for new endpoints`));
    const added = [await attach(lab, 'n1', 'kn1'), await attach(lab, 'n2', 'kn2')];
    for (const container of added) assert.is(await kindOf(lab, container), other);
    for (const container of containers) assert.is(await kindOf(lab, container), 'veth');
    containers.push(...added);
    await allReach(lab, containers);
    for (const node of ['n1', 'n2']) await lab.plait(node, 'verify');
  },
);

scenario('an agent that finds both kinds adopts both', async (lab) => {
  await lab.killAgent('n1');
  await lab.startAgent('n1');
  await lab.plait('n1', 'verify');
  assert.match(await lab.plait('n1', 'status'), /endpoints: +4 known, 2 local/);
  await allReach(lab, containers);
});

scenario('leaving removes both kinds', async (lab) => {
  await lab.plait('n1', 'leave --force');
  assert.not.match(await lab.sh('n1', 'ip -br link'), /pl[0-9a-f]{11}|plait/);
  for (const { container } of containers.filter(({ node }) => node === 'n1'))
    assert.not.match(await lab.sh(container, 'ip -br link'), 'eth0');
});

run();
