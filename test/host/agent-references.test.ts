// timeout: 60 s

// What a person writes for an endpoint may be a name or the beginning of an id. A name that this node does not know
// must never be taken for the beginning of the id of one that it does know.

import * as assert from 'uvu/assert';
import { attach } from './support/containers.js';
import { scenarios } from './support/scenarios.js';

const { scenario, run } = scenarios({ nodes: 1 }, async (lab) => {
  await lab.plait('n1', 'network create --subnet 10.10.0.0/24 app');
  await lab.plait('n1', 'network create --subnet 10.20.0.0/24 quiet');
});

scenario('a name that begins the id of a local endpoint means the endpoint of that name', async (lab) => {
  const { id } = await attach(lab, 'n1', 'web1');
  // No endpoint of this network is here, so the agent follows none of it.
  const name = id.slice(0, 3);
  const peer = '--vtep 192.0.2.9 --mac 02:00:00:00:09:01 --ip 10.20.0.9';
  const declared = (await lab.plait('n1', `endpoint add --network quiet --name ${name} ${peer}`)).trim();

  const [inspected] = JSON.parse(await lab.plait('n1', `endpoint inspect ${name}`));
  assert.is(inspected.id, declared);
  await lab.plait('n1', `endpoint rm ${name}`);
  assert.is((await lab.plait('n1', 'endpoint ls -q --no-trunc')).trim(), id);

  await lab.plait('n1', `detach ${name}`); // now it means the id
  assert.is((await lab.plait('n1', 'endpoint ls -q --no-trunc')).trim(), '');
});

run();
