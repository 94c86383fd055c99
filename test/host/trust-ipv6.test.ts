// timeout: 180 s

// A cluster whose hosts know each other by IPv6 addresses alone: in URLs, certificates, tokens' lines, and what doctor asks.

import * as assert from 'uvu/assert';
import type { NodeAnswer } from '../../src/model/api.js';
import { allReach, attach } from './support/containers.js';
import { scenarios } from './support/scenarios.js';

const { scenario, run } = scenarios({ nodes: 3, managers: 2, ipv6Underlay: true }, async () => {});

scenario('managers and workers join, and containers talk', async (lab) => {
  const nodes = JSON.parse(await lab.plait('n3', 'node ls --format json')) as NodeAnswer[];
  assert.equal(
    nodes.map(({ name, role, state, vtep }) => [name, role, state, vtep]),
    [
      ['n1', 'manager', 'ready', '2001:db8::1'],
      ['n2', 'manager', 'ready', '2001:db8::2'],
      ['n3', 'worker', 'ready', '2001:db8::3'],
    ],
  );
  await lab.plait('n3', 'network create --subnet 10.10.0.0/24 --ipv6 app');
  await allReach(lab, [await attach(lab, 'n1', 'c1'), await attach(lab, 'n3', 'c3')]);
});

scenario('the printed line has brackets, and doctor finds the way', async (lab) => {
  assert.match(await lab.plait('n2', 'join-token worker'), '[2001:db8::1]:2377');
  const { stdout } = await lab.try('n3', ['plait', 'doctor']);
  for (const what of ['TCP 2377 of manager 2001:db8::1', 'UDP 4789 of node n2', 'MTU to node n1']) {
    assert.match(stdout, `ok       ${what}`);
  }
  const { stdout: own } = await lab.try('n1', ['plait', 'doctor']);
  assert.not.match(own, 'manager 2001:db8::1');
  assert.match(own, 'ok       TCP 2380 of manager 2001:db8::2');
});

scenario('a manager that was killed is one again', async (lab) => {
  await lab.killAgent('n1');
  await lab.startAgent('n1');
  await lab.plait('n1', 'network create again', { timeout: 30_000 });
  await lab.plait('n3', 'verify');
});

run();
