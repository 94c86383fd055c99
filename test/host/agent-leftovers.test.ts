// timeout: 900 s

// Whatever happens between an attach and a detach, nothing stays: no interface, pin, address, record or map row.
// PLAIT_TEST_PAIRS=1000 for the full count of random attaches and detaches.

import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import type { Lab } from '../../src/lab/lab.js';
import { waitFor } from '../../src/lab/wait.js';
import type {
  EndpointAnswer,
  EndpointChangeAnswer,
  RemovedAnswer,
  StatusAnswer,
} from '../../src/model/api.js';
import { patience } from '../../src/patience.js';
import { attach, reach } from './support/containers.js';
import { etcdKeys, footprint } from './support/footprint.js';
import { scenarios } from './support/scenarios.js';

const PAIRS = Number(process.env.PLAIT_TEST_PAIRS ?? '60');
const CONTAINERS = 6;
let empty = '';

const { scenario, run } = scenarios({ nodes: 2 }, async (lab) => {
  await lab.plait('n1', 'network create --subnet 10.10.0.0/24 --subnet fd10:10::/64 app');
  for (let index = 0; index < CONTAINERS; index += 1) await lab.addContainer(`r${index}`);
  empty = await footprint(lab);
});

scenario('an attach that is refused leaves nothing behind', async (lab) => {
  const there = await attach(lab, 'n2', 'c1', { name: 'there' });
  const netns = await lab.addContainer('c2');
  await lab.sh('c2', 'ip link add taken type bridge');
  const before = await footprint(lab);
  const refused = [
    ['/run/netns/nobody', 'no such namespace'],
    ['/etc/hostname', 'not a network namespace'],
    [`--ifname taken ${netns}`, 'the name is taken there'],
    [`--ip ${there.address} ${netns}`, 'endpoint there has it'],
    [`--ip ${there.address6} ${netns}`, 'endpoint there has it'],
    [`--mac ${there.mac} ${netns}`, 'endpoint there has it'],
    [`--ip 10.11.0.2 ${netns}`, 'not in network app'],
  ];
  for (const [rest, reason] of refused) {
    const { status, stderr } = await lab.try('n1', `plait attach --network app --name x ${rest}`.split(' '));
    assert.is(status, 1, rest);
    assert.ok(stderr.includes(reason ?? ''), `${rest}: ${stderr}`);
    assert.is(await footprint(lab), before, rest);
  }
  await lab.plait('n2', 'detach there');
  assert.is(await settled(lab), empty);
});

scenario('an attach while etcd is away is refused within seconds and leaves nothing', async (lab) => {
  await lab.stopEtcd();
  const started = Date.now();
  const { status, stderr } = await lab.try('n1', [
    'plait',
    'attach',
    '--network',
    'app',
    '--name',
    'x',
    lab.netns('r0'),
  ]);
  assert.is(status, 1);
  assert.match(stderr, /etcd at http:/);
  assert.ok(Date.now() - started < patience(5000), 'it was refused in time');
  await lab.startEtcd();
  await connected(lab);
  assert.is(await settled(lab), empty);
});

scenario('a detach while etcd is away is done here, says so, and reaches etcd later', async (lab) => {
  const { endpoint } = await post(lab, 'n1', 'r0', 'late');
  await lab.stopEtcd();
  const answer = await lab.client('n1').delete<RemovedAnswer>(`/v1/endpoints/${endpoint.id}`);
  assert.is(answer.warnings.length, 1);
  assert.is((await lab.sh('r0', 'ip -j link')).includes('eth0'), false);
  await lab.killAgent('n1');
  await lab.startAgent('n1');
  await lab.startEtcd();
  await connected(lab);
  await waitFor('etcd to hear of it', async () => (await etcdKeys(lab)) === '');
  assert.is(await settled(lab), empty);
});

scenario('a namespace that goes away takes its endpoint along', async (lab) => {
  await attach(lab, 'n1', 'gone');
  await attach(lab, 'n1', 'cut');
  await lab.removeContainer('gone');
  await lab.sh('cut', 'ip link delete eth0');
  await waitFor('both endpoints to be detached', async () => (await etcdKeys(lab)) === '', 10_000);
  assert.is(await settled(lab), empty);
});

scenario('endpoints that etcd has lost are written again, and stay connected', async (lab) => {
  const one = await attach(lab, 'n1', 'e1');
  const two = await attach(lab, 'n2', 'e2');
  await reach(lab, 'e1', two.address);
  const before = await etcdKeys(lab);
  await lab.sh('underlay', `etcdctl --endpoints ${lab.etcdUrl} del --prefix /plait/endpoints/`);
  await waitFor('the records to be there again', async () => (await etcdKeys(lab)) === before);
  await reach(lab, 'e1', two.address);
  await reach(lab, 'e2', one.address6);
  for (const { name } of lab.nodes) await lab.plait(name, 'verify');
  await lab.plait('n1', 'detach e1');
  await lab.plait('n2', 'detach e2');
  assert.is(await settled(lab), empty);
});

scenario('a second agent on the same root is refused', async (lab) => {
  const line = `plait agent --root ${lab.root('n1')} --name n1 --advertise-addr ${lab.node('n1').address} --etcd ${lab.etcdUrl}`;
  const { status, stderr } = await lab.try('n1', line.split(' '));
  assert.is(status, 1);
  assert.match(stderr, /another one runs on this root, PID \d+/);
});

scenario('a node whose lease ends is down and keeps its rows', async (lab) => {
  await attach(lab, 'n1', 'l1');
  const two = await attach(lab, 'n2', 'l2');
  await lab.killAgent('n2');
  await waitFor(
    'n2 to be down',
    async () => (await lab.client('n1').get<StatusAnswer>('/v1/status')).nodes.down === 1,
    30_000,
  );
  await reach(lab, 'l1', two.address);
  await lab.startAgent('n2');
  await connected(lab);
  await lab.plait('n1', 'detach l1');
  await lab.plait('n2', 'detach l2');
  assert.is(await settled(lab), empty);
});

scenario(`${PAIRS} attaches and detaches in random order with agent kills leave nothing`, async (lab) => {
  let attached = 0;
  let kills = 0;
  while (attached < PAIRS) {
    const work = Array.from({ length: CONTAINERS }, (_, index) => toggle(lab, `r${index}`));
    const killed = kills < Math.ceil(PAIRS / 15) ? `n${1 + (kills % 2)}` : undefined;
    if (killed) {
      await sleep(Math.random() * 80);
      await lab.killAgent(killed);
      kills += 1;
    }
    attached += (await Promise.all(work)).filter((done) => done === 'attached').length;
    if (killed) await lab.startAgent(killed);
    if (killed) await connected(lab);
  }
  for (const { name } of lab.nodes) await detachAll(lab, name);
  console.log(`NOTE ${attached} attaches, ${kills} kills`);
  assert.is(await settled(lab), empty);
  for (const { name } of lab.nodes) await lab.plait(name, 'verify');
});

/** Attaches the container, or detaches it, on a random node. What a killed agent did not answer does not count. */
async function toggle(lab: Lab, container: string): Promise<'attached' | 'detached' | 'failed'> {
  const node = `n${1 + Math.floor(Math.random() * 2)}`;
  try {
    const here = await localEndpoints(lab, node);
    const mine = here.find(({ name }) => name === container);
    if (mine === undefined) {
      await post(lab, node, container, container, node);
      return 'attached';
    }
    await lab.client(node).delete(`/v1/endpoints/${mine.id}`);
    return 'detached';
  } catch {
    return 'failed';
  }
}

function post(
  lab: Lab,
  node: string,
  container: string,
  name: string,
  ifname = 'eth0',
): Promise<EndpointChangeAnswer> {
  const netns = lab.netns(container);
  return lab
    .client(node)
    .post<EndpointChangeAnswer>('/v1/endpoints', { network: 'app', name, netns, ifname });
}

async function localEndpoints(lab: Lab, node: string): Promise<EndpointAnswer[]> {
  const all = await lab.client(node).get<EndpointAnswer[]>('/v1/endpoints');
  return all.filter(({ local }) => local !== undefined);
}

async function detachAll(lab: Lab, node: string): Promise<void> {
  for (const { id } of await localEndpoints(lab, node)) await lab.client(node).delete(`/v1/endpoints/${id}`);
}

async function connected(lab: Lab): Promise<void> {
  for (const { name } of lab.nodes) {
    await waitFor(
      `${name} to follow etcd`,
      async () => {
        const { etcd, nodes, warnings } = await lab.client(name).get<StatusAnswer>('/v1/status');
        return etcd.state === 'connected' && nodes.down === 0 && warnings.length === 0;
      },
      30_000,
    );
  }
}

/** The footprint once it is the empty one, or as it is after some seconds. */
async function settled(lab: Lab): Promise<string> {
  const deadline = Date.now() + patience(10_000);
  for (;;) {
    const now = await footprint(lab);
    if (now === empty || Date.now() > deadline) return now;
    await sleep(100);
  }
}

run();
