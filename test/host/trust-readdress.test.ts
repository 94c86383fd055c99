// timeout: 300 s

// Hosts of a cluster that get other addresses: a worker, a manager among three, whose etcd goes along, and all managers of a
// worker that was away. The old address is off the host each time, so that nothing can depend on it.

import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { identityOf } from '../../src/cluster/pki/identity.js';
import type { Lab } from '../../src/lab/lab.js';
import { waitFor } from '../../src/lab/wait.js';
import type { NodeAnswer } from '../../src/model/api.js';
import { allReach, attach, type Container } from './support/containers.js';
import { filesOf } from './support/outsider.js';
import { scenarios } from './support/scenarios.js';

const containers: Container[] = [];

const { scenario, run } = scenarios({ nodes: 4, managers: 3 }, async (lab) => {
  await lab.plait('n1', 'network create --subnet 10.10.0.0/24 app');
  for (const [index, { name }] of lab.nodes.entries())
    containers.push(await attach(lab, name, `c${index + 1}`));
  await allReach(lab, containers);
});

async function nodes(lab: Lab, at: string): Promise<NodeAnswer[]> {
  return JSON.parse(await lab.plait(at, 'node ls --format json')) as NodeAnswer[];
}

const vtepOf = async (lab: Lab, at: string, name: string): Promise<string | undefined> =>
  (await nodes(lab, at)).find((node) => node.name === name)?.vtep;

/** After its DHCP server gave it another address: the old one is gone when the command is typed. */
async function readdress(lab: Lab, name: string, address: string): Promise<void> {
  await lab.sh(name, 'ip -4 address flush dev eth0 scope global');
  await lab.sh(name, `ip address add ${address}/24 dev eth0`);
  await lab.plait(name, `readdress --advertise-addr ${address}`);
  lab.adoptAgent(name);
}

async function settled(lab: Lab, name: string, address: string): Promise<void> {
  const started = performance.now();
  for (const { name: at } of lab.nodes) {
    await waitFor(
      `${at} to know where ${name} is`,
      async () => (await vtepOf(lab, at, name)) === address,
      20_000,
    );
  }
  await allReach(lab, containers);
  console.log(
    `NOTE ${name} is at ${address} for all after ${((performance.now() - started) / 1000).toFixed(1)} s`,
  );
  for (const { name: at } of lab.nodes) {
    await waitFor(`verify at ${at}`, async () => (await lab.try(at, ['plait', 'verify'])).status === 0);
  }
  const { certificate } = filesOf(lab, name);
  await waitFor(`a certificate of ${name} for ${address}`, async () => {
    return new X509Certificate(readFileSync(certificate)).checkIP(address) !== undefined;
  });
}

/** URLs of etcd's members, by node, as the etcd of `at` has them; nothing while there is no leader. */
async function members(lab: Lab, at: string): Promise<string> {
  const { ca, certificate, key } = filesOf(lab, at);
  const line = `--endpoints https://127.0.0.1:2379 --cacert ${ca} --cert ${certificate} --key ${key} member list`;
  const { stdout } = await lab.try(at, ['env', 'ETCDCTL_API=3', 'etcdctl', ...line.split(' ')]);
  return stdout;
}

scenario('a worker moves: others send to its new address, its containers keep theirs', async (lab) => {
  await readdress(lab, 'n4', '192.0.2.74');
  await settled(lab, 'n4', '192.0.2.74');
  const five = await attach(lab, 'n4', 'c5');
  await allReach(lab, [containers[0] as Container, five]);
});

scenario('a manager moves: its etcd goes along, and is one on which the others can count', async (lab) => {
  await readdress(lab, 'n2', '192.0.2.72');
  await settled(lab, 'n2', '192.0.2.72');
  const { node } = identityOf(readFileSync(filesOf(lab, 'n2').certificate, 'utf8'));
  await waitFor('etcd to know', async () =>
    (await members(lab, 'n1')).includes(`${node}, https://192.0.2.72:2380`),
  );
  await lab.killAgent('n3'); // its etcd goes with it: the quorum is n1 and n2
  await waitFor(
    'n3 to be down',
    async () => {
      return (await nodes(lab, 'n4')).some(({ name, state }) => name === 'n3' && state === 'down');
    },
    40_000,
  );
  await lab.plait('n2', 'network create --subnet 10.11.0.0/24 other');
  await lab.plait('n1', 'network rm other');
  await lab.startAgent('n3');
  await allReach(lab, containers);
  const { stdout } = await lab.try('n2', ['plait', 'doctor']);
  assert.not.match(stdout, /192\.0\.2\.202/, 'nobody speaks of the old address');
});

scenario('all managers move while a worker is away, which is told where they are', async (lab) => {
  await lab.killAgent('n4');
  for (const [name, address] of [
    ['n1', '192.0.2.81'],
    ['n2', '192.0.2.82'],
    ['n3', '192.0.2.83'],
  ] as const) {
    await readdress(lab, name, address);
    await waitFor(
      `${name} to be ready`,
      async () => {
        return (await nodes(lab, name)).some(
          (node) => node.self && node.vtep === address && node.state === 'ready',
        );
      },
      20_000,
    );
    await waitFor(
      'etcd to have all its members',
      async () => {
        const found = await members(lab, name);
        return (
          found.includes(`https://${address}:2380`) &&
          (await lab.try(name, ['plait', 'join-token', '-q', 'worker'])).status === 0
        );
      },
      20_000,
    );
  }
  await lab.plait('n4', 'readdress --manager 192.0.2.82 --manager 192.0.2.83');
  lab.adoptAgent('n4');
  await settled(lab, 'n3', '192.0.2.83');
  for (const name of ['n1', 'n2', 'n3']) assert.match(await lab.plait(name, 'node ls'), /n4 .*ready/);
});

scenario(
  'refused, and the agent runs on: an address that is another’s, one that no device has, nothing at all',
  async (lab) => {
    const pid = lab.pid('n4');
    for (const [options, says] of [
      ['--advertise-addr 192.0.2.99', /192\.0\.2\.99: no device of this host has it/],
      ['--advertise-addr nonsense', /--advertise-addr.*nonsense/],
      ['--manager a:b:c', /not HOST or HOST:PORT/],
      ['', /--advertise-addr: it is missing/],
    ] as const) {
      const { status, stderr } = await lab.try('n4', `plait readdress ${options}`.trim().split(' '));
      assert.ok(status === 1 || status === 2, stderr);
      assert.match(stderr, says);
    }
    lab.adoptAgent('n4');
    assert.is(lab.pid('n4'), pid);
    const stranger = await lab.try('outside', ['plait', 'readdress', '--advertise-addr', '192.0.2.99']);
    assert.match(stranger.stderr, /member of no cluster/);
  },
);

run();
