// timeout: 600 s

// Three managers and a worker; whatever becomes of one manager, 1000 packets a second between containers do not notice, and
// the others tell the truth about it. Certificates live two minutes, so that all of them are renewed on the way.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { identityOf } from '../../src/cluster/pki/identity.js';
import type { Lab } from '../../src/lab/lab.js';
import { waitFor } from '../../src/lab/wait.js';
import type { NodeAnswer, StatusAnswer } from '../../src/model/api.js';
import type { AuthorityAnswer } from '../../src/model/api-trust.js';
import { patience } from '../../src/patience.js';
import { allReach, attach, type Container, reach } from './support/containers.js';
import { losesNothing } from './support/lossless.js';
import { filesOf } from './support/outsider.js';
import { scenarios } from './support/scenarios.js';

const WORKER = 'n4';
const SPARE = 'k1';
let containers: Container[] = [];

const { scenario, run } = scenarios(
  { nodes: 4, managers: 3, plainHosts: [SPARE], certExpiry: '2m' },
  async (lab) => {
    await lab.plait('n1', 'network create --subnet 10.10.0.0/24 app');
    containers = [await attach(lab, 'n3', 'c1'), await attach(lab, WORKER, 'c2')];
    await allReach(lab, containers);
  },
);

const undisturbed = (lab: Lab, action: () => Promise<void>): Promise<void> =>
  losesNothing(lab, 'c1', containers[1]?.address ?? '', action);

async function nodes(lab: Lab, at: string): Promise<Record<string, string>> {
  const found = JSON.parse(await lab.plait(at, 'node ls --format json')) as NodeAnswer[];
  return Object.fromEntries(found.map(({ name, state, role }) => [name, `${role} ${state}`]));
}

async function says(
  lab: Lab,
  at: string,
  expected: Record<string, string>,
  timeoutMs = 20_000,
): Promise<void> {
  await waitFor(
    `${at} to list ${JSON.stringify(expected)}`,
    async () => {
      const found = await nodes(lab, at).catch(() => ({}) as Record<string, string>);
      return Object.entries(expected).every(([name, state]) => found[name] === state);
    },
    timeoutMs,
  );
}

/** The cluster takes a change that is asked of this node, and every node sees it. */
async function takesChanges(lab: Lab, at: string): Promise<void> {
  const name = `x${Math.random().toString(36).slice(2, 8)}`;
  await waitFor(`${at} to take a change`, async () => {
    return (await lab.try(at, ['plait', 'network', 'create', name])).status === 0;
  });
  await lab.plait(at, `network rm ${name}`);
}

/** In etcd's eyes, asked at a manager: how many members vote. */
async function voters(lab: Lab, at: string): Promise<number> {
  const { ca, certificate, key } = filesOf(lab, at);
  const line = `env ETCDCTL_API=3 etcdctl --endpoints https://127.0.0.1:2379 --cacert ${ca} --cert ${certificate} --key ${key} member list`;
  const { stdout } = await lab.try(at, line.split(' '));
  return stdout.split('\n').filter((member) => member.endsWith(', false')).length;
}

scenario('all three vote, and a worker’s changes are taken', async (lab) => {
  await waitFor('three votes', async () => (await voters(lab, 'n1')) === 3, 30_000);
  await takesChanges(lab, WORKER);
  await says(lab, WORKER, { n1: 'manager ready', n3: 'manager ready', n4: 'worker ready' });
});

scenario('etcd of any manager killed: started again, nothing lost', async (lab) => {
  await undisturbed(lab, async () => {
    for (const name of ['n1', 'n2', 'n3']) {
      await lab.exec(name, ['sh', '-c', `kill -9 $(cat /proc/${lab.pid(name)}/task/*/children)`]);
      await takesChanges(lab, WORKER);
      await waitFor(`etcd of ${name} to be back`, async () => (await voters(lab, name)) === 3, 30_000);
    }
  });
});

scenario('a manager’s agent killed, with its etcd: the others go on, and say so within 20 s', async (lab) => {
  await undisturbed(lab, async () => {
    await lab.killAgent('n1');
    await takesChanges(lab, WORKER);
    await takesChanges(lab, 'n2');
    await says(lab, WORKER, { n1: 'manager down', n2: 'manager ready' }, 20_000);
    await lab.startAgent('n1');
    await says(lab, WORKER, { n1: 'manager ready' }, 5_000);
  });
  await lab.plait('n1', 'verify');
});

scenario('what would cost the majority is refused, and explained', async (lab) => {
  await lab.killAgent('n1');
  await says(lab, 'n2', { n1: 'manager down' });
  const { status, stderr } = await lab.try('n2', ['plait', 'node', 'demote', 'n3']);
  assert.is(status, 1);
  assert.match(stderr, /of the 2 manager\(s\) left, 1 would be up, and 2 are needed.*down: n1/);
  assert.match((await lab.try('n2', ['plait', 'leave'])).stderr, /needed to change anything/);
  await says(lab, 'n2', { n2: 'manager ready', n3: 'manager ready' });
});

scenario('a manager lost for good is removed, and another takes its place', async (lab) => {
  await undisturbed(lab, async () => {
    assert.match((await lab.try('n2', ['plait', 'node', 'rm', 'n1'])).stderr, /it is a manager/);
    await lab.plait('n2', 'node rm --force n1');
    assert.is(await voters(lab, 'n2'), 2);
    await lab.plait('n2', `node promote ${WORKER}`, { timeout: 90_000 });
    assert.is(await voters(lab, WORKER), 3);
    await says(lab, 'n3', { n2: 'manager ready', n4: 'manager ready' });
    assert.not.ok('n1' in (await nodes(lab, 'n3')));
    await takesChanges(lab, WORKER);
  });
  assert.match(await lab.plait(WORKER, 'join-token worker'), lab.node(WORKER).vtep);
});

scenario('demoted, it is a worker again, and no member of etcd', async (lab) => {
  await undisturbed(lab, async () => {
    await lab.plait('n2', `node demote ${WORKER}`);
    await says(lab, 'n3', { n4: 'worker ready' });
    await waitFor('its etcd to be gone', async () => {
      return (await lab.sh(WORKER, 'ss -Hltn sport = :2380')) === '';
    });
    assert.is(await voters(lab, 'n2'), 2);
    await takesChanges(lab, WORKER);
  });
  assert.match((await lab.try(WORKER, ['plait', 'join-token', 'worker'])).stderr, 'this node is a worker');
});

scenario('all agents at once, killed and started: nothing lost, and soon as before', async (lab) => {
  await undisturbed(lab, async () => {
    for (const name of ['n2', 'n3', WORKER]) await lab.killAgent(name);
    await sleep(1000);
    await Promise.all(['n2', 'n3', WORKER].map((name) => lab.startAgent(name)));
    await says(lab, WORKER, { n2: 'manager ready', n3: 'manager ready', n4: 'worker ready' });
    await takesChanges(lab, WORKER);
  });
  for (const name of ['n2', 'n3', WORKER]) await lab.plait(name, 'verify');
});

scenario('certificates were renewed and are again, and nobody restarted for it', async (lab) => {
  const names = ['n2', 'n3', WORKER];
  const ends = (name: string): number =>
    identityOf(readFileSync(filesOf(lab, name).certificate, 'utf8')).notAfter.getTime();
  const before = Object.fromEntries(names.map((name) => [name, ends(name)]));
  const pids = names.map((name) => lab.pid(name));
  await undisturbed(lab, async () => {
    await waitFor(
      'all certificates to be others',
      () => names.every((name) => ends(name) > (before[name] ?? 0)),
      120_000,
    );
    await takesChanges(lab, WORKER);
    await takesChanges(lab, 'n2');
  });
  assert.equal(
    names.map((name) => lab.pid(name)),
    pids,
  );
  for (const name of names) {
    const { warnings } = await lab.client(name).get<StatusAnswer>('/v1/status');
    assert.equal(warnings, []);
  }
});

scenario('a new CA reaches every node, and the old one is dropped', async (lab) => {
  const names = ['n2', 'n3', WORKER];
  const before = (await lab.plait('n2', 'join-token -q worker')).trim();
  await undisturbed(lab, async () => {
    await lab.plait('n2', 'ca --rotate');
    await waitFor(
      'every node to trust the new CA alone',
      () => names.every((name) => trusted(lab, name) === 1 && verifies(lab, name)),
      60_000,
    );
    for (const name of names) await takesChanges(lab, name);
  });
  const { isRotating } = await lab.client('n3').get<AuthorityAnswer>('/v1/ca');
  assert.is(isRotating, false);
  const line = `plait join --name x --token ${before} ${lab.node('n2').vtep}`;
  assert.match((await lab.try(SPARE, line.split(' '))).stderr, /the token is for CA .* and the manager has/);
});

scenario('a host that joins late is reached by all', async (lab) => {
  await lab.join(SPARE, 'worker', 'n2');
  const late = await attach(lab, SPARE, 'c9');
  await reach(lab, 'c1', late.address);
  await sleep(patience(100));
});

scenario('a manager that leaves is no member of etcd, and the last one is held back', async (lab) => {
  await lab.plait('n3', 'detach c1');
  await lab.plait('n3', 'leave');
  assert.is(await voters(lab, 'n2'), 1);
  await takesChanges(lab, WORKER);
  await waitFor('it to be unlisted', async () => !('n3' in (await nodes(lab, WORKER))));
  const { stderr } = await lab.try('n2', ['plait', 'leave']);
  assert.match(stderr, /it is the only manager, and the cluster ends with it/);
  await takesChanges(lab, 'n2');
});

/** How many CAs a node trusts. */
function trusted(lab: Lab, name: string): number {
  return readFileSync(filesOf(lab, name).ca, 'utf8').split('BEGIN CERTIFICATE').length - 1;
}

/** By openssl, without what leads to another CA. */
function verifies(lab: Lab, name: string): boolean {
  const { ca, certificate } = filesOf(lab, name);
  return spawnSync('openssl', ['verify', '-CAfile', ca, certificate]).status === 0;
}

run();
