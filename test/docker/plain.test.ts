// timeout: 400 s

// Docker's own commands on two hosts, each with a real dockerd, no Swarm: networks of the driver `plait`, and what becomes of
// them when dockerd, the agent or etcd goes in between.

import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import type { Lab } from '../../src/lab/lab.js';
import { waitFor } from '../../src/lab/wait.js';
import type { EndpointAnswer, NetworkAnswer } from '../../src/model/api.js';
import { patience } from '../../src/patience.js';
import { scenarios } from '../host/support/scenarios.js';
import { type Engine, restartAgent, startEngines } from './support/engines.js';

/** What Docker is waited for at most, with a part of it away. */
const LONGEST_MS = patience(20_000);
const PLAIT = '-d plait --ipam-driver plait';
let d1: Engine;
let d2: Engine;

const { scenario, run } = scenarios({ nodes: 2 }, async (lab) => {
  [d1, d2] = (await startEngines(lab)) as [Engine, Engine];
});

async function endpoints(lab: Lab, at = 'n1'): Promise<EndpointAnswer[]> {
  return JSON.parse(await lab.plait(at, 'endpoint ls --format json')) as EndpointAnswer[];
}

const pings = (engine: Engine, from: string, address: string, count = 3) =>
  engine.exec(from, `ping -c ${count} -W 1 ${address}`);

async function reaches(engine: Engine, from: string, address: string): Promise<void> {
  const { status, stdout } = await pings(engine, from, address);
  assert.is(status, 0, stdout);
  assert.match(stdout, /\b0% packet loss/);
}

async function refused(engine: Engine, line: string, says: RegExp): Promise<void> {
  const started = performance.now();
  const { status, stderr } = await engine.try(line);
  assert.is.not(status, 0, line);
  assert.match(stderr, says);
  assert.ok(performance.now() - started < LONGEST_MS, `${line}: ${performance.now() - started} ms`);
}

/** Nothing is left of anything that is not there. */
async function agree(lab: Lab, count: number, within = 20_000): Promise<void> {
  await waitFor(
    `${count} endpoints in etcd`,
    async () => (await endpoints(lab)).length === count,
    within,
  ).catch(async (error) => {
    throw new Error(`${error}\n${await lab.plait('n1', 'endpoint ls')}`);
  });
  for (const { name } of lab.nodes) {
    await waitFor(`verify at ${name}`, async () => (await lab.try(name, ['plait', 'verify'])).status === 0);
    const links = await lab.sh(name, 'ip -br link');
    const here = (await endpoints(lab, name)).filter(({ local }) => local).length;
    assert.is(links.match(/^pl[0-9a-f]{11}/gm)?.length ?? 0, here, links);
    assert.not.match(links, /^plc[0-9a-z]{11}\b/m);
  }
}

scenario('one network on both hosts, made by Docker on one and named on the other', async (lab) => {
  await d1.docker(`network create ${PLAIT} --subnet 10.77.0.0/24 -o plait.network=app app`);
  await d2.docker(`network create ${PLAIT} --ipam-opt plait.network=app app`);
  const networks = JSON.parse(await lab.plait('n2', 'network ls --format json')) as NetworkAnswer[];
  assert.equal(
    networks.map(({ name }) => name),
    ['app'],
  );
  await d1.run('c1', '--network app');
  await d2.run('c2', '--network app');
  const [one, two] = [await d1.address('c1', 'app'), await d2.address('c2', 'app')];
  assert.equal([one, two].sort(), ['10.77.0.2', '10.77.0.3']);
  await reaches(d1, 'c1', two);
  await reaches(d2, 'c2', one);
  const { stdout } = await d1.exec('c1', 'ip address show eth0');
  assert.match(stdout, /mtu 1450 .*inet 10\.77\.0\.\d\/24/s);
  await agree(lab, 2);
});

scenario('the way out and published ports are Docker’s; an internal network has neither', async (lab) => {
  await d1.docker('run -d --name web -p 8080:80 --network app bb httpd -f -p 80 -h /bin');
  await reaches(d1, 'web', lab.node('n2').vtep);
  const page = await lab.try('n2', [
    'curl',
    '-s',
    '-m',
    '3',
    '-o',
    '/dev/null',
    '-w',
    '%{http_code}',
    `http://${lab.node('n1').vtep}:8080/cat`,
  ]);
  assert.is(page.stdout, '200', page.stderr);
  await d1.docker('rm -f web');
  await d1.docker(`network create ${PLAIT} --internal --subnet 10.78.0.0/24 inner`);
  await d1.run('i1', '--network inner');
  assert.is((await d1.exec('i1', 'ip route')).stdout.trim().split('\n').length, 1);
  assert.is.not((await pings(d1, 'i1', lab.node('n2').vtep, 1)).status, 0);
  await d1.docker('rm -f i1');
  await d1.docker('network rm inner');
  const networks = JSON.parse(await lab.plait('n1', 'network ls --format json')) as NetworkAnswer[];
  assert.equal(
    networks.map(({ name }) => name),
    ['app'],
    'one that only Docker knew goes with Docker’s',
  );
  await agree(lab, 2);
});

scenario(
  '--ip and --mac-address are kept, also by a restart; what another host has is refused by name',
  async (lab) => {
    await d1.run('c3', '--network app --ip 10.77.0.99 --mac-address 02:00:00:aa:bb:cc');
    const two = await d2.address('c2', 'app');
    await reaches(d2, 'c2', '10.77.0.99');
    await d1.docker('restart -t 0 c3');
    assert.is(await d1.address('c3', 'app'), '10.77.0.99');
    assert.match((await d1.exec('c3', 'ip link show eth0')).stdout, /02:00:00:aa:bb:cc/);
    await reaches(d1, 'c3', two);
    await refused(
      d1,
      `run --rm --network app --ip ${two} bb true`,
      /take address 10\.77\.0\.\d+ of network app: endpoint \S+ has it/,
    );
    await refused(
      d1,
      'run --rm --network app --ip 10.77.0.99 bb true',
      /10\.77\.0\.99 .*of this host has it/,
    );
    await reaches(d1, 'c3', two);
    await refused(d1, 'run --rm --network app --ip 10.78.0.9 bb true', /10\.78\.0\.9|subnet/);
    await d1.docker('rm -f c3');
    await agree(lab, 2);
  },
);

scenario('a container that takes the address of the last one is reached by its first packet', async () => {
  const two = await d2.address('c2', 'app');
  for (let i = 0; i < 3; i++) {
    const { stdout } = await d1.try(`run --rm --network app bb ping -c 2 -W 1 ${two}`);
    assert.match(stdout, /2 packets received/, `container ${i + 1}`);
  }
});

scenario('connect, disconnect, two networks, stop and start', async (lab) => {
  await d1.docker(`network create ${PLAIT} --subnet 10.79.0.0/24 -o plait.network=back back`);
  await d2.docker(`network create ${PLAIT} --subnet 10.79.0.0/24 back`);
  await d1.docker('network connect back c1');
  await d2.docker('network connect back c2');
  await reaches(d1, 'c1', await d2.address('c2', 'back'));
  await reaches(d1, 'c1', await d2.address('c2', 'app'));
  await agree(lab, 4);
  await d1.docker('network disconnect app c1');
  assert.not.match((await d1.exec('c1', 'ip address')).stdout, /10\.77\./);
  await reaches(d1, 'c1', await d2.address('c2', 'back'));
  await d1.docker('network connect app c1');
  await d1.docker('stop -t 0 c1');
  await agree(lab, 2);
  await d1.docker('start c1');
  await reaches(d1, 'c1', await d2.address('c2', 'back'));
  for (const [engine, name] of [
    [d1, 'c1'],
    [d2, 'c2'],
  ] as const) {
    await engine.docker(`network disconnect back ${name}`);
    await engine.docker('network rm back');
  }
  await lab.plait('n1', 'network rm back');
  await agree(lab, 2);
});

scenario('--ip-range is where addresses come from, on all hosts, and is the same for all', async (lab) => {
  const range = '--subnet 10.82.0.0/24 --ip-range 10.82.0.128/25 -o plait.network=part';
  await d1.docker(`network create ${PLAIT} ${range} part`);
  await d2.docker(`network create ${PLAIT} ${range} part`);
  await d1.run('p1', '--network part');
  await d2.run('p2', '--network part');
  const found = [await d1.address('p1', 'part'), await d2.address('p2', 'part')];
  assert.equal(found.sort(), ['10.82.0.128', '10.82.0.129']);
  await d1.docker('rm -f p1');
  await d2.docker('rm -f p2');
  await d2.docker('network rm part');
  const other = '--subnet 10.82.0.0/24 --ip-range 10.82.0.0/25 -o plait.network=part';
  await refused(
    d2,
    `network create ${PLAIT} ${other} part`,
    /IP range 10\.82\.0\.128\/25, not 10\.82\.0\.0\/25/,
  );
  await d1.docker('network rm part');
  await lab.plait('n1', 'network rm part');
  await agree(lab, 2);
});

for (const [what, options, says] of [
  ['no subnet and no name', '', /give --subnet, or --ipam-opt plait\.network=NAME/],
  ['encryption', '--subnet 10.80.0.0/24 -o encrypted', /encrypted is not there yet/],
  ['an option that there is not', '--subnet 10.80.0.0/24 -o plait.nonsense=1', /no option plait\.nonsense/],
  ['IPv6', '--ipv6 --subnet 10.80.0.0/24 --subnet fd00:80::/64', /IPv6 by Docker is not there yet/],
  [
    'another subnet than the network has',
    '--subnet 10.80.0.0/24 -o plait.network=app',
    /subnet 10\.77\.0\.0\/24, not 10\.80/,
  ],
  [
    'another gateway',
    '--subnet 10.77.0.0/24 --gateway 10.77.0.9 -o plait.network=app',
    /gateway 10\.77\.0\.1, not 10\.77\.0\.9/,
  ],
  ['a subnet that the host routes', '--subnet 192.0.2.0/25', /overlaps the host's route/],
  ['a VNI that is none', '--subnet 10.80.0.0/24 -o plait.vni=x', /plait\.vni=x: not a whole number/],
] as const) {
  scenario(`refused, and nothing is made: ${what}`, async (lab) => {
    const line = `network create ${PLAIT} ${options} bad`.replace(/ +/g, ' ');
    await refused(d1, line, says);
    assert.not.match(await lab.plait('n1', 'network ls'), /10\.80|docker-/);
    assert.not.match(await d1.docker('network ls'), /bad/);
  });
}

scenario(
  'with Docker’s own IPAM two hosts choose one address: the second is told what to use',
  async (lab) => {
    for (const engine of [d1, d2])
      await engine.docker('network create -d plait --subnet 10.81.0.0/24 -o plait.network=own own');
    await d1.run('o1', '--network own');
    await refused(d2, 'run --rm --network own bb true', /--ipam-driver plait/);
    await d1.docker('rm -f o1');
    for (const engine of [d1, d2]) await engine.docker('network rm own');
    await lab.plait('n1', 'network rm own');
    await agree(lab, 2);
  },
);

scenario(
  'eight clients at once run and remove: each container has its own address and is reached, nothing is left',
  async (lab) => {
    const rounds = 5;
    const names = ['a', 'b', 'c', 'd'].flatMap((name) => [
      [d1, `${name}1`] as const,
      [d2, `${name}2`] as const,
    ]);
    const client = async (engine: Engine, name: string): Promise<void> => {
      for (let i = 0; i < rounds; i++) {
        await engine.run(`${name}-${i}`, '--network app');
        if (i > 0) await engine.docker(`rm -f ${name}-${i - 1}`); // its address is the next one's, perhaps another client's
      }
    };
    await Promise.all(names.map(([engine, name]) => client(engine, name)));
    const all = (await endpoints(lab)).map(({ addresses }) => addresses[0] ?? '');
    assert.is(new Set(all).size, 2 + names.length, all.join(' '));
    for (const [engine, name] of names) {
      const address = await engine.address(`${name}-${rounds - 1}`, 'app');
      assert.ok(all.includes(address), `${name} has ${address}`);
      await reaches(d1, 'c1', address);
    }
    await agree(lab, 2 + names.length);
    await Promise.all(names.map(([engine, name]) => engine.docker(`rm -f ${name}-${rounds - 1}`)));
    await agree(lab, 2);
  },
);

scenario('dockerd is killed: its containers go, their endpoints too, and start again', async (lab) => {
  await d1.kill();
  await d1.start();
  await agree(lab, 1);
  await d1.docker('start c1');
  await reaches(d1, 'c1', await d2.address('c2', 'app'));
  await agree(lab, 2);
});

scenario('dockerd with --live-restore is killed: its containers and their traffic stay', async (lab) => {
  await d1.kill();
  await d1.start('--live-restore');
  await d1.docker('start c1');
  const two = await d2.address('c2', 'app');
  const one = await d1.address('c1', 'app');
  await d1.kill();
  await reaches(d2, 'c2', one);
  await d1.start('--live-restore');
  await reaches(d1, 'c1', two);
  await d1.docker('restart -t 0 c1');
  await reaches(d1, 'c1', two);
  await agree(lab, 2);
});

scenario(
  'the agent is away: traffic goes on, a new container is refused in time, and the next one works',
  async (lab) => {
    const two = await d2.address('c2', 'app');
    await lab.killAgent('n1');
    await reaches(d1, 'c1', two);
    await refused(d1, 'run --rm --network app bb true', /plait\.sock/);
    await restartAgent(lab, d1, 'SIGKILL');
    await reaches(d1, 'c1', two);
    const { stdout } = await d1.try(`run --rm --network app bb ping -c 1 -W 1 ${two}`);
    assert.match(stdout, /1 packets received/);
    await agree(lab, 2);
  },
);

scenario(
  'the agent is killed at any moment of run and rm: nothing is left of them, and the next ones work',
  async (lab) => {
    for (let round = 0; round < 6; round++) {
      const running = d1.try('run -d --name x1 --network app bb sleep 10000');
      await sleep(round * 60);
      await restartAgent(lab, d1, 'SIGKILL');
      await running;
      const removing = d1.try('rm -f x1');
      await sleep(round * 30);
      if (round % 2 === 1) await restartAgent(lab, d1, 'SIGKILL');
      await removing;
      await waitFor('x1 to be gone', async () => (await d1.try('rm -f x1')).status === 0, 60_000);
    }
    const { stdout } = await d1.try(
      `run --rm --network app bb ping -c 1 -W 1 ${await d2.address('c2', 'app')}`,
    );
    assert.match(stdout, /1 packets received/);
    await agree(lab, 2);
  },
);

scenario(
  'etcd is away: a new container is refused in time, one is removed, and its address is given back later',
  async (lab) => {
    await d1.run('y1', '--network app');
    await lab.stopEtcd();
    await refused(d1, 'run --rm --network app bb true', /reach etcd/);
    const started = performance.now();
    await d1.docker('rm -f y1');
    assert.ok(performance.now() - started < LONGEST_MS);
    await reaches(d1, 'c1', await d2.address('c2', 'app'));
    await lab.startEtcd();
    await agree(lab, 2);
    const { stdout } = await d1.try(
      `run --rm --network app bb ping -c 1 -W 1 ${await d2.address('c2', 'app')}`,
    );
    assert.match(stdout, /1 packets received/);
  },
);

scenario('the engines go, and nothing of them is left', async (lab) => {
  try {
    await d1.docker('rm -f c1');
    await d2.docker('rm -f c2');
    for (const engine of [d1, d2]) await engine.docker('network rm app');
    assert.match(await lab.plait('n1', 'network ls'), /app/, 'a network with a name stays for others');
    await agree(lab, 0);
  } finally {
    await Promise.all([d1, d2].map((engine) => engine.remove()));
  }
});

run();
