// timeout: 120 s

// Names across hosts, as programs in containers see them.

import { writeFileSync } from 'node:fs';
import path from 'node:path';
import * as assert from 'uvu/assert';
import type { Lab } from '../../src/lab/lab.js';
import { waitFor } from '../../src/lab/wait.js';
import { attach } from './support/containers.js';
import { scenarios } from './support/scenarios.js';

const { scenario, run } = scenarios({ nodes: 2 }, async (lab) => {
  await lab.plait('n1', 'network create --subnet 10.10.0.0/24 app');
  await lab.plait('n1', 'network create --subnet 10.20.0.0/24 --internal vault');
  await attach(lab, 'n1', 'c1', { name: 'web.1', options: '--alias shop --ip 10.10.0.11' });
  await attach(lab, 'n2', 'c2', { name: 'web.2', options: '--alias shop --ip 10.10.0.12' });
  await attach(lab, 'n2', 'c3', { name: 'safe', network: 'vault', options: '--ip 10.20.0.13' });
  await answers(lab, 'c1', 'web.2', ['10.10.0.12']);
});

async function lookUp(lab: Lab, container: string, question: string): Promise<string[]> {
  const { stdout } = await lab.try(container, [
    'dig',
    '+short',
    '+tries=1',
    '+time=4',
    ...question.split(' '),
  ]);
  return stdout.trim().split('\n').filter(Boolean).sort();
}

/** Waits until a question has this answer. */
async function answers(lab: Lab, container: string, question: string, expected: string[]): Promise<void> {
  await waitFor(`${question} to be ${expected.join(', ') || 'nothing'} in ${container}`, async () => {
    return (await lookUp(lab, container, question)).join() === expected.join();
  });
}

scenario('replicas of one name are answered together, from either host', async (lab) => {
  for (const container of ['c1', 'c2']) {
    for (const name of ['web', 'tasks.web', 'shop', 'shop.app', 'WEB']) {
      assert.equal(
        await lookUp(lab, container, name),
        ['10.10.0.11', '10.10.0.12'],
        `${name} in ${container}`,
      );
    }
  }
  assert.equal(await lookUp(lab, 'c1', '-x 10.10.0.12'), ['web.2.app.']);
});

scenario(
  'a second network in the same namespace adds its names, and detaching takes them away',
  async (lab) => {
    assert.equal(await lookUp(lab, 'c1', 'safe'), []);
    await lab.plait('n1', `attach --network vault --name key --ifname eth1 ${lab.netns('c1')}`);
    await answers(lab, 'c1', 'safe', ['10.20.0.13']);
    assert.equal(await lookUp(lab, 'c1', 'web.2'), ['10.10.0.12']);
    await lab.plait('n1', 'detach key');
    await answers(lab, 'c1', 'safe', []);
  },
);

scenario('names from outside are forwarded, but not out of an internal network', async (lab) => {
  // A forwarder that nobody answers gives SERVFAIL; one that is not asked gives NXDOMAIN.
  assert.match(
    await lab.sh('c1', 'dig +tries=1 +time=9 outside.example'),
    /status: (SERVFAIL|NXDOMAIN|NOERROR)/,
  );
  const { stdout } = await lab.try('c3', ['dig', '+tries=1', '+time=2', 'outside.example']);
  assert.match(stdout, /status: NXDOMAIN/);
});

scenario('the endpoints of a node whose lease expired are left out while others are up', async (lab) => {
  await lab.killAgent('n2');
  await waitFor(
    'n2 to be down',
    async () => (await lab.plait('n1', 'node ls --filter state=down --format {{.Name}}')) === 'n2\n',
    30_000,
  );
  assert.equal(await lookUp(lab, 'c1', 'web'), ['10.10.0.11']);
  assert.equal(await lookUp(lab, 'c1', 'web.2'), ['10.10.0.12']);
  await lab.sh('c1', 'ping -n -c 1 -W 2 10.10.0.12');
  await lab.startAgent('n2');
  await answers(lab, 'c1', 'web', ['10.10.0.11', '10.10.0.12']);
  await answers(lab, 'c2', 'web', ['10.10.0.11', '10.10.0.12']);
});

scenario('many questions at once all get their answer', async (lab) => {
  const file = path.join(lab.root('n1'), 'questions');
  const questions = Array.from({ length: 2000 }, (_, i) => (i % 2 === 0 ? 'web.2 A\n' : 'nobody A\n'));
  writeFileSync(file, questions.join(''));
  const stdout = await lab.sh('c1', `dig +tries=1 +time=2 +noall +comments -f ${file}`);
  assert.is(stdout.match(/status: NOERROR/g)?.length, 1000);
  assert.is(stdout.match(/status: NXDOMAIN/g)?.length, 1000);
});

run();
