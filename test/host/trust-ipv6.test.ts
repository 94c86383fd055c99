// timeout: 240 s

// A cluster whose hosts know each other by IPv6 addresses alone: in URLs, certificates, tokens' lines, and what doctor asks.

import * as assert from 'uvu/assert';
import type { Lab } from '../../src/lab/lab.js';
import { waitFor } from '../../src/lab/wait.js';
import type { NodeAnswer } from '../../src/model/api.js';
import { allReach, attach, type Container } from './support/containers.js';
import { scenarios } from './support/scenarios.js';

const containers: Container[] = [];

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
  containers.push(
    await attach(lab, 'n1', 'c1'),
    await attach(lab, 'n2', 'c2'),
    await attach(lab, 'n3', 'c3'),
  );
  await allReach(lab, containers);
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

async function vteps(lab: Lab, at: string): Promise<Map<string, string>> {
  const nodes = JSON.parse(await lab.plait(at, 'node ls --format json')) as NodeAnswer[];
  return new Map(nodes.map(({ name, vtep }) => [name, vtep]));
}

scenario('a worker and a manager move, whose old addresses are gone by then', async (lab) => {
  for (const [name, address] of [
    ['n3', '2001:db8::73'],
    ['n2', '2001:db8::72'],
  ] as const) {
    await lab.sh(name, 'ip -6 address flush dev eth0 scope global');
    await lab.sh(name, `ip address add ${address}/64 dev eth0 nodad`);
    await lab.plait(name, `readdress --advertise-addr ${address}`);
    lab.adoptAgent(name);
    for (const at of ['n1', 'n2', 'n3']) {
      const knows = async () => (await vteps(lab, at)).get(name) === address;
      await waitFor(`${at} to know where ${name} is`, knows, 20_000);
    }
    await allReach(lab, containers);
  }
  await lab.plait('n2', 'network create after', { timeout: 30_000 });
});

scenario(
  'the address of another member is refused in the status, and what the others know stays',
  async (lab) => {
    await lab.sh('n3', 'ip address add 2001:db8::1/128 dev lo');
    await lab.plait('n3', 'readdress --advertise-addr 2001:db8::1 --data-path-addr 2001:db8::73');
    lab.adoptAgent('n3');
    const says = async () => (await lab.try('n3', ['plait', 'status'])).stderr;
    await waitFor('n3 to say so', async () => /2001:db8::1: node n1 is there/.test(await says()));
    assert.match(await lab.plait('n1', 'node inspect n3'), '2001:db8::73');
    await lab.plait('n3', 'readdress --advertise-addr 2001:db8::73');
    lab.adoptAgent('n3');
    await lab.sh('n3', 'ip address delete 2001:db8::1/128 dev lo');
    await waitFor('n3 to be content', async () => (await says()) === '');
    await allReach(lab, containers);
  },
);

run();
