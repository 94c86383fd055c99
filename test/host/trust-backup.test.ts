// timeout: 300 s

// What is left when managers are lost: a backup on a fresh host, and one manager that goes on alone.

import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { Lab } from '../../src/lab/lab.js';
import { waitFor } from '../../src/lab/wait.js';
import type { EndpointAnswer, NetworkAnswer, NodeAnswer } from '../../src/model/api.js';
import { attach, reach } from './support/containers.js';
import { losesNothing } from './support/lossless.js';
import { filesOf } from './support/outsider.js';
import { scenarios } from './support/scenarios.js';

const FRESH = 'k1';
let file = '';
let token = '';
let c2 = '';

const { scenario, run } = scenarios({ nodes: 4, managers: 3, plainHosts: [FRESH] }, async (lab) => {
  await lab.plait('n1', 'network create --subnet 10.10.0.0/24 app');
  await attach(lab, 'n1', 'c1', { name: 'web1' });
  c2 = (await attach(lab, 'n4', 'c2', { name: 'web2' })).address;
  await reach(lab, 'c1', c2);
  file = join(lab.root('n1'), 'cluster.plait');
});

const list = async <T>(lab: Lab, at: string, what: string): Promise<T[]> =>
  JSON.parse(await lab.plait(at, `${what} ls --format json`)) as T[];

scenario('a backup is a file for root alone; a worker makes none', async (lab) => {
  token = (await lab.plait('n1', 'join-token -q worker')).trim();
  assert.match(await lab.plait('n1', `backup ${file}`), /cluster [0-9a-z]{25}, \d+ bytes/);
  assert.is(statSync(file).mode & 0o777, 0o600);
  assert.match((await lab.try('n4', ['plait', 'backup', `${file}.x`])).stderr, 'this host is no manager');
});

scenario('a damaged, cut or foreign file is refused before anything is changed', async (lab) => {
  const good = readFileSync(file);
  const bad = `${file}.bad`;
  const flipped = Buffer.from(good);
  flipped[good.length - 1000] = (flipped[good.length - 1000] ?? 0) ^ 1;
  const header = good.indexOf('\n');
  const cases: [Buffer, RegExp][] = [
    [flipped, /damaged: its SHA-256/],
    [good.subarray(0, good.length - 10), /cut off: \d+ of \d+ bytes/],
    [Buffer.from('hello\n'), /not one of `plait backup`/],
    [Buffer.concat([Buffer.from('PLAIT-BACKUP 9 {}'), good.subarray(header)]), /of version 9/],
    [Buffer.concat([Buffer.from('PLAIT-BACKUP 1 {}'), good.subarray(header)]), /first line is damaged/],
  ];
  for (const [bytes, says] of cases) {
    writeFileSync(bad, bytes);
    const { status, stderr } = await lab.try(
      FRESH,
      `plait restore --advertise-addr 192.0.2.201 ${bad}`.split(' '),
    );
    assert.is(status, 1);
    assert.match(stderr, says);
    assert.match((await lab.try(FRESH, ['plait', 'status'])).stderr, 'no agent is listening');
  }
  const member = await lab.try('n4', `plait restore --advertise-addr 192.0.2.4 ${file}`.split(' '));
  assert.match(member.stderr, 'this host is a member of a cluster');
});

scenario('on a fresh host networks, reserved addresses, tokens and nodes are back', async (lab) => {
  const networks = await list<NetworkAnswer>(lab, 'n1', 'network');
  await lab.plait(FRESH, `restore --name fresh --advertise-addr 192.0.2.201 ${file}`);
  lab.adoptAgent(FRESH);
  const plain = ({ id, name, subnets }: NetworkAnswer) => ({ id, name, subnets });
  await waitFor(
    'its etcd to answer',
    async () => (await lab.try(FRESH, ['plait', 'join-token', 'worker'])).status === 0,
  );
  assert.equal((await list<NetworkAnswer>(lab, FRESH, 'network')).map(plain), networks.map(plain));
  assert.is((await lab.plait(FRESH, 'join-token -q worker')).trim(), token);
  const nodes = await list<NodeAnswer>(lab, FRESH, 'node');
  assert.equal(
    nodes.map(({ name, role }) => [name, role]),
    [['fresh', 'manager'], ...['n1', 'n2', 'n3', 'n4'].map((name) => [name, 'worker'])],
  );
  const endpoints = await list<EndpointAnswer>(lab, FRESH, 'endpoint');
  assert.equal(endpoints.map(({ name }) => name).sort(), ['web1', 'web2']);
  const late = await attach(lab, FRESH, 'c9');
  assert.not.ok(['10.10.0.2', '10.10.0.3'].includes(late.address), late.address);
});

scenario('a host of the old cluster joins the restored one by the old token', async (lab) => {
  await lab.killAgent('n4', 'SIGTERM');
  await lab.plait('n4', 'leave --force');
  await lab.plait(FRESH, 'node rm --force n4');
  await lab.plait('n4', `join --name n4 --advertise-addr 192.0.2.4 --token ${token} 192.0.2.201`);
  lab.adoptAgent('n4');
  await waitFor('it to be listed', async () => {
    const nodes = await list<NodeAnswer>(lab, FRESH, 'node');
    return nodes.some(({ name, state }) => name === 'n4' && state === 'ready');
  });
});

scenario(
  'of three managers two are lost: the third goes on alone, and its containers never noticed',
  async (lab) => {
    const near = await attach(lab, 'n1', 'c3');
    await losesNothing(lab, 'c1', near.address, async () => {
      await lab.killAgent('n2');
      await lab.killAgent('n3');
      const { stderr } = await lab.try('n1', ['plait', 'network', 'create', 'stuck']);
      assert.match(stderr, /etcd/);
      await lab.plait('n1', 'init --force-new-cluster', { timeout: 60_000 });
      lab.adoptAgent('n1');
      await waitFor('changes to be taken', async () => {
        return (await lab.try('n1', ['plait', 'network', 'create', 'again'])).status === 0;
      });
    });
    const { ca, certificate, key } = filesOf(lab, 'n1');
    const line = `env ETCDCTL_API=3 etcdctl --endpoints https://127.0.0.1:2379 --cacert ${ca} --cert ${certificate} --key ${key} member list`;
    assert.is((await lab.sh('n1', line)).trim().split('\n').length, 1);
    await waitFor(
      'those that are lost to be down, and removed',
      async () => {
        await lab.try('n1', ['plait', 'node', 'rm', 'n2', 'n3']);
        return (await list<NodeAnswer>(lab, 'n1', 'node')).every(({ name }) => !['n2', 'n3'].includes(name));
      },
      30_000,
    );
    await lab.killAgent('n1', 'SIGTERM');
    await lab.startAgent('n1');
    await waitFor('the restarted one to take changes', async () => {
      return (await lab.try('n1', ['plait', 'network', 'rm', 'again'])).status === 0;
    });
  },
);

run();
