// timeout: 300 s

// What other hands do to an agent's state, on its disk and in etcd: it is told, it goes no further, and containers that
// talk go on talking.

import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import type { Lab } from '../../src/lab/lab.js';
import { waitFor } from '../../src/lab/wait.js';
import type { NetworkAnswer, StatusAnswer, VerifyAnswer } from '../../src/model/api.js';
import { pathsFor } from '../../src/model/paths.js';
import { patience } from '../../src/patience.js';
import { attach } from './support/containers.js';
import { etcdKeys, footprint } from './support/footprint.js';
import { scenarios } from './support/scenarios.js';

const createdAt = '2027-01-01T00:00:00.000Z';
const strangeId = 'z'.repeat(25);
let peer = '';

const { scenario, run } = scenarios({ nodes: 2 }, async (lab) => {
  await lab.plait('n1', 'network create --subnet 10.10.0.0/24 app');
  await attach(lab, 'n1', 'c1');
  peer = (await attach(lab, 'n2', 'c2')).address;
});

scenario('a record that is not right is told and left out, and no other suffers', async (lab) => {
  const network = await lab.client('n1').get<NetworkAnswer>('/v1/networks/app');
  const key = `/plait/endpoints/${network.id}/external/${strangeId}`;
  const right = {
    id: strangeId,
    network: network.id,
    node: 'external',
    name: 'evil',
    aliases: [],
    labels: {},
  };
  const record = {
    ...right,
    createdAt,
    mac: '02:00:00:00:00:01',
    addresses: ['10.10.0.77'],
    vtep: '192.0.2.99',
  };
  const cases: [string, RegExp][] = [
    ['garbage', /skipped: read \/plait.*not JSON/],
    [JSON.stringify({ ...record, addresses: ['::ffff:10.10.0.9'] }), /skipped: .*write it as 10\.10\.0\.9/],
    [JSON.stringify({ ...record, vtep: '224.0.0.1' }), /skipped: .*multicast/],
    [JSON.stringify({ ...record, addresses: ['10.10.0.1'] }), /left out: 10\.10\.0\.1 is the gateway/],
    [JSON.stringify({ ...record, addresses: ['10.99.0.1'] }), /left out: 10\.99\.0\.1 is not in network app/],
  ];
  for (const [value, reason] of cases) {
    await etcdctl(lab, 'put', key, value);
    await waitFor(`the warning ${reason}`, async () => reason.test(await warnings(lab, 'n1')));
    await talk(lab);
  }
  await etcdctl(lab, 'del', key);
  await waitFor('no warning', async () => (await warnings(lab, 'n1')) === '');
});

scenario(
  'a second network of one VNI is refused, and one of a malformed subnet harms no creation',
  async (lab) => {
    const key = `/plait/networks/${strangeId}`;
    const app = await lab.client('n1').get<NetworkAnswer>('/v1/networks/app');
    const { vni, subnets } = app;
    const rest = { id: strangeId, vni, internal: false, mtu: 1450, labels: {}, options: {}, createdAt };
    await etcdctl(lab, 'put', key, JSON.stringify({ ...rest, name: 'rival', subnets }));
    const netns = await lab.addContainer('c3');
    const refused = await lab.try('n1', `plait attach --network rival --name x ${netns}`.split(' '));
    assert.match(refused.stderr, `take vni ${vni}: network app has it`);
    await talk(lab);
    const crooked = [{ subnet: '10.20.0.7/24', gateway: '10.20.0.1' }];
    await etcdctl(lab, 'put', key, JSON.stringify({ ...rest, name: 'crooked', subnets: crooked }));
    await lab.plait('n1', 'network create fine');
    await lab.plait('n1', 'network rm fine');
    await etcdctl(lab, 'del', key);
  },
);

scenario('a name whose network somebody removed by hand can be taken again', async (lab) => {
  const id = (await lab.plait('n1', 'network create gone')).trim();
  await etcdctl(lab, 'del', `/plait/networks/${id}`);
  await lab.plait('n2', 'network create gone');
  await lab.plait('n2', 'network rm gone');
});

scenario("a node's record that says something else is told and put right", async (lab) => {
  const { node } = await lab.client('n1').get<StatusAnswer>('/v1/status');
  const key = `/plait/nodes/${node.id}`;
  const record = JSON.parse(await etcdctl(lab, 'get', '--print-value-only', key)) as object;
  await etcdctl(lab, 'put', key, JSON.stringify({ ...record, vtep: '192.0.2.200' }));
  await waitFor('the warning', async () => /another agent uses its id/.test(await warnings(lab, 'n1')));
  await waitFor('the record is right', async () => {
    return (await etcdctl(lab, 'get', '--print-value-only', key)).includes(`"${node.vtep}"`);
  });
  await talk(lab);
});

scenario(
  'a state directory that is full refuses attaches, keeps no detach, and leaves nothing',
  async (lab) => {
    const netns = await lab.addContainer('c4');
    const leaving = await lab.addContainer('c5');
    const before = await footprint(lab);
    await lab.plait('n1', `attach --network app --name leaving ${leaving}`);
    const journal = join(lab.root('n1'), 'lib', 'journal');
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4k,nr_inodes=1', 'tmpfs', journal]);
    try {
      const refused = await lab.try('n1', `plait attach --network app --name full ${netns}`.split(' '));
      assert.is(refused.status, 1);
      assert.match(refused.stderr, /journal\/\w+\.json: no space is left on the device\nhint: make room/);
    } finally {
      execFileSync('umount', [journal]);
    }
    await lab.plait('n1', 'detach leaving');
    await waitFor('nothing is left', async () => (await footprint(lab)) === before);
    await talk(lab);
  },
);

scenario('an agent that was stopped for longer than its lease is back at once', async (lab) => {
  const pid = lab.pid('n1');
  process.kill(pid, 'SIGSTOP');
  try {
    await waitFor('n1 is down', async () => (await lab.plait('n2', 'node ls')).includes('down'), 25_000);
    await talk(lab);
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  await waitFor('n1 is ready', async () => !(await lab.plait('n2', 'node ls')).includes('down'), 10_000);
  await lab.client('n1').get<StatusAnswer>('/v1/status');
});

scenario('an etcd that is replaced by an empty one is filled again, and no packet is lost', async (lab) => {
  const before = await etcdKeys(lab);
  const pings = lab.start('c1', `ping -n -i 0.01 -c 600 -W 1 ${peer}`);
  await lab.stopEtcd();
  forgetEtcd(lab);
  await lab.startEtcd();
  await waitFor('etcd has it all again', async () => (await etcdKeys(lab)) === before);
  assert.match((await pings.outcome).stdout, /600 received/);
  for (const node of ['n1', 'n2']) {
    const { differences } = await lab.client(node).get<VerifyAnswer>('/v1/verify');
    assert.equal(differences, []);
    assert.match(await warnings(lab, node), /etcd went back to revision/);
  }
});

scenario(
  'an agent that is shown the etcd of another cluster refuses it and leaves all as it is',
  async (lab) => {
    await lab.stopEtcd();
    for (const node of ['n1', 'n2']) await lab.killAgent(node);
    forgetEtcd(lab);
    await lab.startEtcd();
    const subnets = [{ subnet: '10.77.0.0/24', gateway: '10.77.0.1' }];
    const other = { id: strangeId, name: 'other', vni: 4096, subnets, internal: false, mtu: 1450 };
    const key = `/plait/networks/${strangeId}`;
    await etcdctl(lab, 'put', key, JSON.stringify({ ...other, labels: {}, options: {}, createdAt }));
    lab.launchAgent('n1');
    await waitFor('n1 gives up', () => !lab.isUp('n1'));
    const { length } =
      readFileSync(lab.log('n1'), 'utf8').match(/has no node and no network of the cluster/g) ?? [];
    assert.is(length, 1);
    assert.equal(await keysOf(lab), [key]);
    await talk(lab);
    await etcdctl(lab, 'del', key);
    for (const node of ['n1', 'n2']) await lab.startAgent(node);
    await waitFor('both are registered', async () => (await etcdKeys(lab)).split('\n').length === 6);
    await talk(lab);
  },
);

scenario(
  'a second agent in the same network namespace is refused before it touches anything',
  async (lab) => {
    const { vtep } = lab.node('n1');
    const other = join(dirname(lab.root('n1')), 'other');
    const line = `plait agent --root ${other} --name n9 --advertise-addr ${vtep} --etcd ${lab.etcdUrl}`;
    const { status, stderr } = await lab.try('n1', line.split(' '));
    assert.is(status, 1);
    assert.match(stderr, 'another one, with another --root, runs in this network namespace');
    await talk(lab);
    assert.equal((await lab.client('n1').get<VerifyAnswer>('/v1/verify')).differences, []);
  },
);

scenario('an etcd that wants a password is told as that, and nothing stops', async (lab) => {
  await etcdctl(lab, 'user', 'add', 'root:secret');
  await etcdctl(lab, 'user', 'grant-role', 'root', 'root');
  await etcdctl(lab, 'auth', 'enable');
  try {
    const { status, stderr } = await lab.try('n1', 'plait network create secret'.split(' '));
    assert.is(status, 1);
    assert.match(stderr, /user name is empty\nhint: agents have no user at etcd yet/);
    await talk(lab);
  } finally {
    await etcdctl(lab, '--user', 'root:secret', 'auth', 'disable');
  }
  await lab.plait('n1', 'network create open');
  await lab.plait('n1', 'network rm open');
});

scenario('what is no request is answered in JSON', async (lab) => {
  const { socket } = pathsFor(lab.root('n1'));
  const asked: [string, string, string, string, number, string][] = [
    ['GET', '/nope', '', '', 404, 'NOT_FOUND'],
    ['HEAD', '/v1/drops/follow', '', '', 404, ''],
    ['GET', '/v1/nodes/%zz', '', '', 400, 'INVALID_INPUT'],
    ['GET', `/v1/endpoints/${'x'.repeat(250)}`, '', '', 404, 'find endpoint xxx'],
    ['POST', '/v1/networks', '{bad', 'application/json', 400, 'INVALID_INPUT'],
    ['POST', '/v1/networks', 'name=a', 'text/csv', 415, 'INVALID_INPUT'],
  ];
  for (const [method, path, body, type, status, text] of asked) {
    const answer = await ask(socket, method, path, body, type);
    assert.is(answer.status, status, path);
    assert.ok(answer.body.includes(text), answer.body);
    if (method !== 'HEAD') assert.ok('error' in (JSON.parse(answer.body) as object), answer.body);
  }
});

scenario('an agent ends although somebody follows its drops, and tells him so', async (lab) => {
  const follower = lab.start('n1', 'plait drops --follow');
  await sleep(500);
  const started = Date.now();
  await lab.killAgent('n1', 'SIGTERM');
  assert.ok(Date.now() - started < patience(5000), 'in time');
  await follower.outcome;
  await lab.startAgent('n1');
  await talk(lab);
});

async function talk(lab: Lab): Promise<void> {
  await lab.sh('c1', `ping -n -c 2 -i 0.1 -W 1 ${peer}`);
}

async function warnings(lab: Lab, node: string): Promise<string> {
  return (await lab.client(node).get<StatusAnswer>('/v1/status')).warnings.join('\n');
}

function etcdctl(lab: Lab, ...args: string[]): Promise<string> {
  return lab.exec('underlay', ['etcdctl', '--endpoints', lab.etcdUrl, ...args]);
}

async function keysOf(lab: Lab): Promise<string[]> {
  return (await etcdctl(lab, 'get', '--prefix', '--keys-only', '/plait/')).split('\n').filter(Boolean);
}

function forgetEtcd(lab: Lab): void {
  rmSync(join(dirname(lab.root('n1')), 'etcd'), { recursive: true });
}

function ask(
  socketPath: string,
  method: string,
  path: string,
  body: string,
  type: string,
): Promise<{ status: number | undefined; body: string }> {
  const headers = type === '' ? {} : { 'content-type': type };
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, method, path, headers }, (response) => {
      let text = '';
      response.on('data', (data) => (text += data));
      response.on('end', () => resolve({ status: response.statusCode, body: text }));
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

run();
