// timeout: 400 s

// A Docker Swarm of three hosts, each with a real dockerd, with a network of the cluster: services, their tasks and names, scaling,
// rolling update and rollback, drain, and what goes away in between.

import * as assert from 'uvu/assert';
import type { Lab } from '../../src/lab/lab.js';
import { waitFor } from '../../src/lab/wait.js';
import type { EndpointAnswer } from '../../src/model/api.js';
import { patience } from '../../src/patience.js';
import { scenarios } from '../host/support/scenarios.js';
import { type Engine, finds, restartAgent, startAgent, startEngines } from './support/engines.js';

const LONG_MS = patience(40_000);
let engines: Engine[] = [];
let d1: Engine;
let d2: Engine;
let d3: Engine;

const { scenario, run } = scenarios({ nodes: 3 }, async (lab) => {
  engines = await startEngines(lab);
  [d1, d2, d3] = engines as [Engine, Engine, Engine];
  await d1.docker(`swarm init --advertise-addr ${lab.node('n1').vtep}`);
  const token = await d1.docker('swarm join-token -q worker');
  for (const engine of [d2, d3])
    await engine.docker(`swarm join --token ${token} ${lab.node('n1').vtep}:2377`);
});

interface Task {
  readonly engine: Engine;
  /** Name of the container. */
  readonly name: string;
}

/** Tasks that run, by what the engines say. */
async function tasks(service: string): Promise<Task[]> {
  const found = await Promise.all(
    engines.map(async (engine) => {
      const { stdout } = await engine.try(
        `ps --format {{.Names}} --filter label=com.docker.swarm.service.name=${service} --filter status=running`,
      );
      return stdout
        .split('\n')
        .filter(Boolean)
        .map((name) => ({ engine, name }));
    }),
  );
  return found.flat();
}

async function running(service: string, count: number): Promise<Task[]> {
  let found: Task[] = [];
  await waitFor(
    `${count} tasks of ${service}`,
    async () => {
      found = await tasks(service);
      return found.length === count;
    },
    LONG_MS,
  ).catch(async (error) => {
    throw new Error(`${error}\n${await d1.docker(`service ps --no-trunc ${service}`)}`);
  });
  return found;
}

const addressOf = ({ engine, name }: Task): Promise<string> => engine.address(name, 'app');

/** Each task reaches each by address, and finds all of them by the service's name. */
async function allTalk(found: readonly Task[], service: string): Promise<void> {
  const addresses = await Promise.all(found.map(addressOf));
  assert.is(new Set(addresses).size, found.length, addresses.join());
  for (const { engine, name } of found) {
    for (const address of addresses) {
      const { status, stdout } = await engine.exec(name, `ping -c 1 -W 2 ${address}`);
      assert.is(status, 0, stdout);
    }
    for (const asked of [service, `tasks.${service}`]) await finds(engine, name, asked, addresses);
  }
}

async function endpoints(lab: Lab): Promise<EndpointAnswer[]> {
  return JSON.parse(await lab.plait('n1', 'endpoint ls --format json')) as EndpointAnswer[];
}

scenario(
  'without the plugin a swarm takes no network of ours; `plait docker install` makes it',
  async (lab) => {
    const { stderr } = await d1.try('network create -d plait --scope swarm --attachable early');
    assert.match(stderr, /plait/);
    for (const engine of engines) {
      const said = await lab.plait(
        engine.node,
        `docker install --socket ${engine.plugin} --docker-host ${engine.socket}`,
      );
      assert.match(said, /plait:latest/);
      assert.match(await engine.docker('plugin ls --format {{.Name}}:{{.Enabled}}'), /plait:latest:true/);
    }
  },
);

scenario('a network of the cluster is one of the swarm', async (lab) => {
  await lab.plait('n2', 'network create --swarm --subnet 10.88.0.0/24 app');
  await waitFor(
    'the swarm to have it',
    async () => /^app:swarm$/m.test(await d1.docker('network ls --format {{.Name}}:{{.Scope}}')),
    LONG_MS,
  ).catch(async (error) => {
    throw new Error(`${error}\n${(await lab.try('n1', ['plait', 'status'])).stderr}`);
  });
  for (const engine of engines) {
    const has = async () => /^app\.\w{8}$/m.test(await engine.docker('network ls --format {{.Name}}'));
    await waitFor(`${engine.node} to have its settings`, has, LONG_MS);
  }
});

scenario('a service of three tasks on three hosts: they reach each other, by name too', async () => {
  await d1.docker(
    'service create -d --name web --network app --stop-grace-period 1s --replicas 3 --replicas-max-per-node 1 bb sleep 10000',
  );
  const found = await running('web', 3);
  assert.is(new Set(found.map(({ engine }) => engine.node)).size, 3);
  await allTalk(found, 'web');
});

scenario('a container beside it finds the service, and its tasks find the container', async () => {
  await d2.run('tool', '--network app');
  const found = await running('web', 3);
  await finds(d2, 'tool', 'web', await Promise.all(found.map(addressOf)));
  const [first] = found;
  assert.ok(first);
  await finds(first.engine, first.name, 'tool', [await d2.address('tool', 'app')]);
  await d2.docker('rm -f tool');
});

scenario('scaled up and down: as many addresses, none left', async (lab) => {
  await d1.docker('service update -d --replicas-max-per-node 3 web');
  await d1.docker('service scale -d web=6');
  await allTalk(await running('web', 6), 'web');
  await d1.docker('service scale -d web=2');
  await running('web', 2);
  await waitFor('two endpoints', async () => (await endpoints(lab)).length === 2, LONG_MS);
  await allTalk(await running('web', 2), 'web');
});

scenario('a rolling update and a rollback: new tasks are found, old ones are not', async () => {
  const before = await tasks('web');
  for (const command of ['service update -d --env-add RELEASE=2 web', 'service rollback -d web']) {
    const old = new Set((await tasks('web')).map(({ name }) => name));
    await d1.docker(command);
    await waitFor(
      'the tasks to be others',
      async () => {
        const now = await tasks('web');
        return now.length === before.length && now.every(({ name }) => !old.has(name));
      },
      patience(90_000),
    );
    await allTalk(await running('web', before.length), 'web');
  }
});

scenario('a node that is drained: its tasks go on elsewhere', async (lab) => {
  await d1.docker('service scale -d web=3');
  await running('web', 3);
  const node = await d2.docker('info -f {{.Swarm.NodeID}}');
  await d1.docker(`node update --availability drain ${node}`);
  await waitFor(
    'n2 to have none',
    async () => (await tasks('web')).filter(({ engine }) => engine === d2).length === 0,
    LONG_MS,
  );
  await allTalk(await running('web', 3), 'web');
  const ids = new Map(
    (JSON.parse(await lab.plait('n1', 'node ls --format json')) as { id: string; name: string }[]).map(
      ({ id, name }) => [name, id],
    ),
  );
  const left = (await endpoints(lab)).filter(({ node: at }) =>
    JSON.stringify(at).includes(ids.get('n2') ?? '-'),
  );
  assert.is(left.length, 0);
  await d1.docker(`node update --availability active ${node}`);
});

scenario('agents are killed and start again: tasks go on, and new ones come', async (lab) => {
  const found = await running('web', 3);
  for (const engine of engines) await restartAgent(lab, engine, 'SIGKILL');
  await allTalk(found, 'web');
  await d1.docker('service scale -d web=4');
  await allTalk(await running('web', 4), 'web');
  for (const { name } of lab.nodes) await lab.plait(name, 'verify');
});

scenario(
  'dockerd starts with no agent there: what it gives up is mended when the agent comes',
  async (lab) => {
    await d1.docker('service scale -d web=3');
    await running('web', 3);
    await lab.killAgent('n3');
    await d3.kill();
    await d3.start();
    await startAgent(lab, d3);
    await waitFor(
      'its plugin to be enabled',
      async () => /plait:latest:true/.test(await d3.docker('plugin ls --format {{.Name}}:{{.Enabled}}')),
      LONG_MS,
    );
    await allTalk(await running('web', 3), 'web');
  },
);

scenario('gone from the cluster, gone from the swarm', async (lab) => {
  await d1.docker('service rm web');
  await running('web', 0);
  await waitFor('no endpoint', async () => (await endpoints(lab)).length === 0, LONG_MS);
  await lab.plait('n3', 'network rm app');
  for (const engine of engines) {
    await waitFor(
      `${engine.node} to have lost it`,
      async () => !/^app$/m.test(await engine.docker('network ls --format {{.Name}}')),
      LONG_MS,
    ).catch(async (error) => {
      const left = await engine.docker('network ls');
      throw new Error(`${error}\n${left}\n${(await lab.try(engine.node, ['plait', 'status'])).stderr}`);
    });
  }
  // The third was killed, and counts users that are gone.
  for (const engine of [d1, d2]) {
    const isGone = async () => !/^app\./m.test(await engine.docker('network ls --format {{.Name}}'));
    await waitFor(`${engine.node} to have lost its settings`, isGone, LONG_MS);
  }
  for (const engine of engines) {
    await lab.plait(engine.node, `docker uninstall --docker-host ${engine.socket}`);
    assert.is(await engine.docker('plugin ls -q'), '');
  }
});

scenario('the engines go', async () => {
  for (const engine of [d2, d3, d1]) await engine.docker('swarm leave --force');
  await Promise.all(engines.map((engine) => engine.remove()));
});

run();
