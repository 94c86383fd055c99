// timeout: 300 s

// Names of containers on both hosts, asked of Docker's resolver as any image does, and Docker's list of networks, which is kept in
// step with the cluster's.

import { writeFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { waitFor } from '../../src/lab/wait.js';
import type { EndpointAnswer } from '../../src/model/api.js';
import { scenarios } from '../host/support/scenarios.js';
import { type Engine, finds, restartAgent, startAgent, startEngines } from './support/engines.js';

let d1: Engine;
let d2: Engine;

const { scenario, run } = scenarios({ nodes: 2 }, async (lab) => {
  [d1, d2] = (await startEngines(lab)) as [Engine, Engine];
});

const listed = async (engine: Engine): Promise<string[]> =>
  (await engine.docker('network ls --format {{.Name}}:{{.Driver}}'))
    .split('\n')
    .filter((line) => line.endsWith(':plait'));

scenario('a network of the cluster is one of Docker’s on each host, by itself', async (lab) => {
  await lab.plait('n1', 'network create --subnet 10.77.0.0/24 app');
  for (const engine of [d1, d2]) {
    await waitFor('Docker to have it', async () => (await listed(engine)).join() === 'app:plait', 15_000);
  }
});

scenario('containers find each other by name, alias and short id, and by the address’s name', async (lab) => {
  await d1.run('one', '--network app');
  const id = await d2.docker('run -d --name two --network app --network-alias web bb sleep 10000');
  const [one, two] = [await d1.address('one', 'app'), await d2.address('two', 'app')];
  for (const name of ['two', 'web', id.slice(0, 12), 'two.app']) await finds(d1, 'one', name, [two]);
  await finds(d2, 'two', 'one', [one]);
  await finds(d2, 'two', 'web', [two]);
  const { stdout } = await d1.exec('one', 'ping -c 2 -W 1 two');
  assert.match(stdout, / 0% packet loss/);
  const reverse = await d1.exec('one', `nslookup ${two} 127.0.0.11`);
  assert.match(reverse.stdout, /name = two\b/);
  const found = JSON.parse(await lab.plait('n1', 'endpoint ls --format json')) as EndpointAnswer[];
  assert.equal(found.map(({ name }) => name).sort(), ['one', 'two']);
});

scenario('an alias of containers on both hosts is all of them', async () => {
  await d1.docker('run -d --name three --network app --network-alias web bb sleep 10000');
  const both = [await d2.address('two', 'app'), await d1.address('three', 'app')];
  await finds(d1, 'one', 'web', both);
  await finds(d2, 'two', 'web', both);
  await d1.docker('rm -f three');
  await finds(d2, 'two', 'web', both.slice(0, 1));
});

scenario('what the cluster does not know, Docker is asked, over UDP and TCP', async () => {
  await d1.docker('network create other');
  await d1.run('four', '--network other');
  await d1.docker('network connect other one');
  await finds(d1, 'one', 'two', [await d2.address('two', 'app')]);
  const four = await d1.address('four', 'other');
  const { stdout } = await d1.exec('one', 'nslookup -type=a four 127.0.0.11');
  assert.match(stdout, four);
  await d1.docker('rm -f four');
  await d1.docker('network disconnect other one');
  await d1.docker('network rm other');
});

scenario('services of a compose file are found by their names on the other host', async (lab) => {
  const file = `${lab.root('n1')}/compose.yaml`;
  const service = { image: 'bb', command: 'sleep 10000', networks: ['app'] };
  const project = {
    version: '3',
    services: { api: service, db: service },
    networks: { app: { external: true } },
  };
  writeFileSync(file, JSON.stringify(project));
  const compose = (line: string) =>
    lab.exec('n1', ['docker-compose', '-H', d1.socket, '-f', file, '-p', 'shop', ...line.split(' ')]);
  await compose('up -d --scale api=2');
  const [one, two, db] = await Promise.all(
    ['shop_api_1', 'shop_api_2', 'shop_db_1'].map((name) => d1.address(name, 'app')),
  );
  await finds(d2, 'two', 'db', [`${db}`]);
  await finds(d2, 'two', 'api', [`${one}`, `${two}`]);
  await finds(d1, 'shop_db_1', 'two', [await d2.address('two', 'app')]);
  await compose('down -t 0');
  await finds(d2, 'two', 'db', []);
});

scenario('names are right within a second of start, stop and rename', async () => {
  const started = performance.now();
  await d2.run('five', '--network app');
  const ran = performance.now();
  await finds(d1, 'one', 'five', [await d2.address('five', 'app')]);
  console.log(
    `NOTE known on the other host ${Math.round(performance.now() - ran)} ms after docker run, which took ${Math.round(ran - started)} ms`,
  );
  assert.ok(performance.now() - ran < 1500);
  const address = await d2.address('five', 'app');
  await d2.docker('rename five six');
  await finds(d1, 'one', 'six', [address]);
  await finds(d1, 'one', 'five', []);
  await d2.docker('rm -f six');
  await finds(d1, 'one', 'six', []);
});

scenario('a container that asks in its first moment is answered', async () => {
  const { stdout } = await d1.try('run --rm --network app bb ping -c 1 -W 1 two');
  assert.match(stdout, /1 packets received/);
});

scenario('agent away: Docker’s own names are answered; back: the cluster’s, too', async (lab) => {
  await d1.run('seven', '--network app');
  const seven = await d1.address('seven', 'app');
  await lab.killAgent('n1');
  await finds(d1, 'one', 'seven', [seven]);
  await startAgent(lab, d1);
  await finds(d1, 'one', 'two', [await d2.address('two', 'app')]);
  await d1.docker('rm -f seven');
});

scenario('engines and hosts that start again have the names again', async (lab) => {
  await d2.kill();
  await d2.start();
  await d2.docker('restart -t 0 two');
  await finds(d1, 'one', 'two', [await d2.address('two', 'app')]);
  await finds(d1, 'one', 'web', [await d2.address('two', 'app')]);
  await restartAgent(lab, d2, 'SIGKILL');
  await d2.docker('rename two zwei');
  await finds(d1, 'one', 'zwei', [await d2.address('zwei', 'app')]);
});

scenario('Docker’s list follows the cluster, and what was removed by hand stays away', async (lab) => {
  await lab.plait('n2', 'network create --subnet 10.79.0.0/24 --internal inner');
  await waitFor('Docker to have it', async () => (await listed(d1)).includes('inner:plait'), 15_000);
  assert.is(await d1.docker('network inspect -f {{.Internal}} inner'), 'true');
  await waitFor('the other, too', async () => (await listed(d2)).includes('inner:plait'), 15_000);
  await d1.docker('network rm inner');
  await d1.docker('network create holds-up-nothing');
  await d1.docker('network rm holds-up-nothing');
  assert.not.ok((await listed(d1)).includes('inner:plait'));
  await lab.plait('n1', 'network rm inner');
  await waitFor('it to go', async () => !(await listed(d2)).includes('inner:plait'), 15_000);
});

scenario('the file is lost: Docker is asked which network each of its is', async (lab) => {
  await lab.killAgent('n1');
  await lab.sh('n1', `rm ${lab.root('n1')}/lib/docker-networks.json`);
  await startAgent(lab, d1);
  await waitFor(
    'a container on it',
    async () => (await d1.try('run --rm --network app bb true')).status === 0,
    15_000,
  );
});

scenario(
  'dockerd starts while the agent is away: what it should have started with itself, the agent starts',
  async (lab) => {
    await d1.docker('run -d --name ever --restart always --network app bb sleep 10000');
    await lab.killAgent('n1');
    await d1.kill();
    const started = performance.now();
    await d1.start('', 150_000);
    console.log(`NOTE dockerd without the driver took ${Math.round((performance.now() - started) / 1000)} s`);
    const state = () => d1.docker('inspect -f {{.State.Running}} ever');
    await waitFor('Docker to give it up', async () => (await state()) === 'false', 60_000);
    await startAgent(lab, d1);
    await waitFor('it to run', async () => (await state()) === 'true', 30_000);
    await finds(d2, 'zwei', 'ever', [await d1.address('ever', 'app')]);
    await d1.docker('rm -f ever');
  },
);

scenario('the engines go', async () => {
  await d1.docker('rm -f one');
  await d2.docker('rm -f zwei');
  await Promise.all([d1, d2].map((engine) => engine.remove()));
});

run();
