// What cannot be done is refused with one clear line on stderr and the documented exit code, and nothing of it stays:
// no interface, no address, no record.

import * as assert from 'uvu/assert';
import type { Lab } from '../../src/lab/lab.js';
import { waitFor } from '../../src/lab/wait.js';
import { patience } from '../../src/patience.js';
import { attach } from './support/containers.js';
import { scenarios } from './support/scenarios.js';

const FAILED = 1;
const USAGE = 2;

const { scenario, run } = scenarios({ nodes: 2 }, async (lab) => {
  await lab.plait('n1', 'network create --subnet 10.10.0.0/24 app');
  await lab.plait('n1', 'network create --subnet 10.30.0.0/29 tiny');
  await attach(lab, 'n1', 'c1', { name: 'web1', options: '--ip 10.10.0.5 --mac 02:00:00:00:00:05' });
  for (let index = 0; index < 5; index += 1) await attach(lab, 'n2', `t${index}`, { network: 'tiny' });
  await lab.addContainer('spare');
  await lab.sh('spare', 'ip link add taken0 type veth peer name taken1');
});

interface Refusal {
  when: string;
  /** `$spare` and `$c1` stand for the paths of the containers' namespaces. */
  line: string;
  status: number;
  says: RegExp;
}

const refusals: Refusal[] = [
  {
    when: 'the namespace is missing',
    line: 'attach --network app --name x /run/netns/nowhere',
    status: FAILED,
    says: /\/run\/netns\/nowhere.*no such/,
  },
  {
    when: 'the namespace is a plain file',
    line: 'attach --network app --name x /etc/hostname',
    status: FAILED,
    says: /\/etc\/hostname.*not a network namespace/,
  },
  {
    when: 'the network is missing',
    line: 'attach --network nonet --name x $spare',
    status: FAILED,
    says: /network nonet.*no such/,
  },
  {
    when: 'the address is taken',
    line: 'attach --network app --name x --ip 10.10.0.5 $spare',
    status: FAILED,
    says: /10\.10\.0\.5.*web1/,
  },
  {
    when: 'the address is not of the subnet',
    line: 'attach --network app --name x --ip 10.99.0.5 $spare',
    status: FAILED,
    says: /10\.99\.0\.5/,
  },
  {
    when: 'the address is the gateway’s',
    line: 'attach --network app --name x --ip 10.10.0.1 $spare',
    status: FAILED,
    says: /10\.10\.0\.1.*gateway/,
  },
  {
    when: 'the MAC is taken',
    line: 'attach --network app --name x --mac 02:00:00:00:00:05 $spare',
    status: FAILED,
    says: /02:00:00:00:00:05.*web1/,
  },
  {
    when: 'the range is full',
    line: 'attach --network tiny --name x $spare',
    status: FAILED,
    says: /network tiny.*full/,
  },
  {
    when: 'the interface name is taken in the container',
    line: 'attach --network app --name x --ifname taken0 $spare',
    status: FAILED,
    says: /taken0/,
  },
  {
    when: 'the subnet overlaps another network',
    line: 'network create --subnet 10.10.0.128/25 x',
    status: FAILED,
    says: /10\.10\.0\.128\/25.*overlaps.*app/,
  },
  {
    when: 'the subnet overlaps a route of the host',
    line: 'network create --subnet 192.0.2.0/25 x',
    status: FAILED,
    says: /192\.0\.2\.0\/25.*overlaps.*192\.0\.2\.0\/24/,
  },
  {
    when: 'the name of the network is taken',
    line: 'network create --subnet 10.40.0.0/24 app',
    status: FAILED,
    says: /network app.*taken/,
  },
  {
    when: 'the network is in use',
    line: 'network rm app',
    status: FAILED,
    says: /network app.*web1/,
  },
  {
    when: 'the subnet is not one',
    line: 'network create --subnet 10.10.0.300/24 x',
    status: USAGE,
    says: /10\.10\.0\.300\/24/,
  },
  {
    when: 'a flag is wrong',
    line: 'network create --subnetz 10.41.0.0/24 x',
    status: USAGE,
    says: /--subnetz/,
  },
  { when: 'a flag has no value', line: 'attach --network', status: USAGE, says: /--network/ },
  { when: 'the command is wrong', line: 'networks ls', status: USAGE, says: /networks/ },
];

for (const { when, line, status, says } of refusals) {
  scenario(`${when}: refused, nothing half done`, async (lab) => {
    const before = await everything(lab);
    await refused(lab, line.replace('$spare', lab.netns('spare')), status, says);
    assert.equal(await everything(lab), before);
  });
}

scenario('etcd hangs: an attach is refused after one wait for it, not several', async (lab) => {
  const before = await everything(lab);
  const etcd = lab.pid('etcd');
  process.kill(etcd, 'SIGSTOP');
  const started = performance.now();
  try {
    await refused(lab, `attach --network app --name x ${lab.netns('spare')}`, FAILED, /etcd/);
    const waited = performance.now() - started;
    assert.ok(waited < patience(5000), `it took ${Math.round(waited)} ms`);
  } finally {
    process.kill(etcd, 'SIGCONT');
  }
  await waitFor('etcd to hold what it held before', async () => (await everything(lab)) === before);
});

scenario('etcd is away: a change is refused in time, nothing half done, reading goes on', async (lab) => {
  const before = await everything(lab);
  await lab.stopEtcd();
  try {
    await refused(lab, `attach --network app --name x ${lab.netns('spare')}`, FAILED, /etcd/);
    await refused(lab, 'network create --subnet 10.42.0.0/24 x', FAILED, /etcd/);
    assert.match(await lab.plait('n1', 'endpoint ls'), /web1/);
  } finally {
    await lab.startEtcd();
  }
  // A write whose answer was lost may have happened: the agent takes it back as soon as etcd answers.
  await waitFor('etcd to hold what it held before', async () => (await everything(lab)) === before);
});

scenario('the agent is dead: every command says so', async (lab) => {
  await lab.killAgent('n1');
  try {
    await refused(lab, 'network ls', FAILED, /agent/);
    await refused(lab, `attach --network app --name x ${lab.netns('spare')}`, FAILED, /agent/);
  } finally {
    await lab.startAgent('n1');
  }
});

/** One line of message, which hints may follow; nothing on standard output. */
async function refused(lab: Lab, line: string, status: number, says: RegExp): Promise<void> {
  const outcome = await lab.try('n1', `plait ${line}`.split(' '), { timeout: 30_000 });
  assert.is(outcome.status, status, outcome.stderr || outcome.stdout);
  assert.is(outcome.stdout, '');
  const [message = '', ...more] = outcome.stderr.trimEnd().split('\n');
  assert.match(message, says);
  assert.ok(
    more.every((line) => /^(hint: |\(Did you mean )/.test(line)),
    outcome.stderr,
  );
}

/** What a half-done change would leave traces in. */
async function everything(lab: Lab): Promise<string> {
  const [links, spare, endpoints, networks, keys] = await Promise.all([
    lab.sh('n1', 'ip -br link show type veth'),
    lab.sh('spare', 'ip -br address'),
    lab.plait('n1', 'endpoint ls -q --no-trunc'),
    lab.plait('n1', 'network ls -q --no-trunc'),
    keysInEtcd(lab),
  ]);
  const names = links.replace(/^(\S+)@?.*$/gm, '$1');
  return [names, spare, endpoints, networks, keys].join('\n');
}

function keysInEtcd(lab: Lab): Promise<string> {
  const get = ['etcdctl', '--endpoints', lab.etcdUrl, 'get', '--prefix', '--keys-only', '/plait/'];
  return lab.exec('underlay', ['env', 'ETCDCTL_API=3', ...get]);
}

run();
