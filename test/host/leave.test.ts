// timeout: 600 s

// A host leaves the cluster: nothing of Plait is left on it, and nothing of it in etcd. k1 is a host of the lab on which
// no agent was ever started, so that what it was before is known; n1 is the rest of the cluster.

import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import type { Job } from '../../src/lab/exec.js';
import type { Lab } from '../../src/lab/lab.js';
import { CLI } from '../../src/lab/programs.js';
import { waitFor } from '../../src/lab/wait.js';
import { attach, reach } from './support/containers.js';
import { scenarios } from './support/scenarios.js';

const HOST = 'k1';
let pristine = '';
let keys = '';
let containers = 0;

const { scenario, run } = scenarios({ nodes: 1, plainHosts: [HOST] }, async (lab) => {
  await lab.plait('n1', 'network create --subnet 10.10.0.0/24 --subnet fd10:10::/64 app');
  await attach(lab, 'n1', 'c1', { name: 'web1' });
  await waitFor('the addresses of the host to be its own', async () => {
    return !(await lab.sh(HOST, 'ip -o address')).includes('tentative');
  });
  pristine = await traces(lab);
  keys = await etcdKeys(lab);
});

scenario('it is refused while endpoints are attached, names them, and changes nothing', async (lab) => {
  const agent = await startAgent(lab);
  const [first, second] = [await attachOne(lab), await attachOne(lab)];
  const { status, stderr } = await lab.try(HOST, ['plait', 'leave']);
  assert.is(status, 1);
  assert.match(stderr, `leave cluster: 2 endpoint(s) are attached: ${first}, ${second}`);
  assert.match(stderr, '--force');
  await lab.plait(HOST, 'verify');
  await reach(lab, first, '10.10.0.2');
  await lab.plait(HOST, `detach ${first} ${second}`);
  await lab.plait(HOST, 'leave');
  await isGone(lab, agent);
});

scenario('with --force attached endpoints lose their interfaces, and the agent ends well', async (lab) => {
  const agent = await startAgent(lab);
  const name = await attachOne(lab);
  const { stderr } = await lab.try(HOST, ['plait', 'leave', '--force']);
  assert.match(stderr, `detached ${name}`);
  assert.not.match(stderr, 'warning');
  assert.not.match(await lab.sh(name, 'ip -br link'), 'eth0');
  await isGone(lab, agent);
  assert.is((await lab.plait('n1', 'node ls -q')).trim().split('\n').length, 1);
});

scenario('again, where nothing is left: with --force fine, without it an agent is missed', async (lab) => {
  assert.is((await lab.try(HOST, ['plait', 'leave', '--force'])).stderr, '');
  assert.match((await lab.try(HOST, ['plait', 'leave'])).stderr, 'no agent is listening');
  assert.is(await traces(lab), pristine);
});

scenario('by --root alone, from a program that knows no PLAIT_ROOT', async (lab) => {
  const agent = await startAgent(lab);
  await lab.sh(HOST, `env -u PLAIT_ROOT plait --root ${lab.root(HOST)} leave`);
  await isGone(lab, agent);
});

scenario('etcd away: refused; with --force the host is clean, and what etcd keeps is told', async (lab) => {
  const agent = await startAgent(lab);
  const name = await attachOne(lab);
  await lab.plait(HOST, `detach ${name}`);
  await attachOne(lab);
  await lab.stopEtcd();
  const refused = await lab.try(HOST, ['plait', 'leave']);
  assert.is(refused.status, 1);
  assert.match(refused.stderr, /attached|etcd/);
  assert.is((await lab.try(HOST, ['plait', 'status'])).status, 3, 'the agent goes on');
  const { status, stderr } = await lab.try(HOST, ['plait', 'leave', '--force']);
  assert.is(status, 0);
  await isGone(lab, agent, 'host');
  await lab.startEtcd();
  await typeAdvice(lab, stderr);
});

scenario('without an agent: what is left of a killed one goes, and what etcd keeps is told', async (lab) => {
  const agent = await startAgent(lab);
  await attachOne(lab);
  await agent.stop('SIGKILL');
  assert.is((await lab.try(HOST, ['plait', 'leave'])).status, 1);
  const { status, stderr } = await lab.try(HOST, ['plait', 'leave', '--force']);
  assert.is(status, 0);
  assert.is(await traces(lab), pristine);
  await typeAdvice(lab, stderr);
});

scenario('a root that holds nothing takes nothing of another root away', async (lab) => {
  const agent = await startAgent(lab);
  const name = await attachOne(lab);
  await agent.stop('SIGKILL');
  const mistyped = `env -u PLAIT_ROOT plait --root ${lab.root(HOST)}-mistyped leave --force`;
  const { status, stderr } = await lab.try(HOST, ['sh', '-c', mistyped]);
  assert.is(status, 0, stderr);
  await reach(lab, name, '10.10.0.2');
  await typeAdvice(lab, (await lab.try(HOST, ['plait', 'leave', '--force'])).stderr);
  assert.is(await traces(lab), pristine);
});

scenario('killed half way at any moment and repeated: nothing is left', async (lab) => {
  for (const delay of [0, 60, 120, 200, 350]) {
    const agent = await startAgent(lab);
    await attachOne(lab);
    const leaving = lab.start(HOST, 'plait leave --force');
    await sleep(100 + delay); // the command takes some time to start
    await agent.stop('SIGKILL');
    const first = await leaving.outcome;
    const { status, stderr } = await lab.try(HOST, ['plait', 'leave', '--force']);
    assert.is(status, 0, stderr);
    assert.is(await traces(lab), pristine, `killed after ${delay} ms`);
    // One of the two may have found no agent, or the agent was done before it was killed.
    const advice = `${first.stderr}\n${stderr}`;
    if (advice.includes('etcdctl')) await typeAdvice(lab, advice);
    else assert.is(await etcdKeys(lab), keys);
  }
});

scenario('a host that left is welcome again, as a new node', async (lab) => {
  const agent = await startAgent(lab);
  const name = await attachOne(lab);
  await reach(lab, name, '10.10.0.2');
  await lab.plait(HOST, 'leave --force');
  await isGone(lab, agent);
});

async function startAgent(lab: Lab): Promise<Job> {
  const [host] = lab.plainHosts;
  assert.ok(host);
  const where = `--root ${lab.root(HOST)} --name ${HOST} --advertise-addr ${host.vtep} --etcd ${lab.etcdUrl}`;
  const agent = lab.start(HOST, `${process.execPath} ${CLI} agent ${where}`);
  await waitFor(
    'the agent to follow etcd',
    async () => (await lab.try(HOST, ['plait', 'verify'])).status === 0,
  );
  return agent;
}

async function attachOne(lab: Lab): Promise<string> {
  const name = `x${containers++}`;
  await attach(lab, HOST, name);
  return name;
}

/** The agent has ended with 0, and the host is what it was; with it the cluster, unless only the host is asked about. */
async function isGone(lab: Lab, agent: Job, what: 'all' | 'host' = 'all'): Promise<void> {
  assert.is((await agent.outcome).status, 0);
  assert.is(await traces(lab), pristine);
  if (what === 'all') assert.is(await etcdKeys(lab), keys);
}

/** The commands that the message names do what it says. */
async function typeAdvice(lab: Lab, message: string): Promise<void> {
  assert.match(message, `stays in the cluster's etcd`);
  const commands = [...message.matchAll(/^ *etcdctl (.*)$/gm)].map(([, words = '']) => words);
  for (const words of commands) await lab.sh('underlay', `etcdctl --endpoints ${lab.etcdUrl} ${words}`);
  // Addresses and MACs without an endpoint are given back when somebody wants them.
  const allocations = /^\/plait\/(ipam|mac|alive)\//;
  const others = (text: string): string[] => text.split('\n').filter((key) => !allocations.test(key));
  assert.equal(others(await etcdKeys(lab)), others(keys));
  const left = (await etcdKeys(lab)).split('\n').filter((key) => !keys.split('\n').includes(key));
  for (const key of left) await lab.sh('underlay', `etcdctl --endpoints ${lab.etcdUrl} del ${key}`);
}

async function etcdKeys(lab: Lab): Promise<string> {
  const list = `etcdctl --endpoints ${lab.etcdUrl} get --prefix --keys-only /plait/`;
  const found = (await lab.sh('underlay', list)).split('\n').filter((key) => key !== '');
  return found.sort().join('\n');
}

/** What the host is: devices, queueing disciplines, rules, settings, pins, mounts, files. */
async function traces(lab: Lab): Promise<string> {
  const root = lab.root(HOST);
  const script = `
    ip -d -j link | tr '{' '\\n' | grep -v '"operstate":"DOWN"'; ip -o address; ip rule; ip route; tc qdisc show
    nft list ruleset; grep -rs . /proc/sys/net/ipv4 /proc/sys/net/ipv6 | grep -v /neigh/ | sort
    grep ${root} /proc/mounts || true`;
  const files = existsSync(root) ? await lab.exec(HOST, ['find', root, '-mindepth', '1']) : '';
  return `${await lab.exec(HOST, ['sh', '-ec', script])}\n${files}`;
}

run();
