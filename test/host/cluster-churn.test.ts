// timeout: 900 s

// Containers come and go in random order, several at a time, and the agent is killed in the middle of it again and
// again. When all are gone, nothing of them is left: no link, no pin, no address, no map entry, no key in etcd.
// PLAIT_TEST_CHURN=1000 for the full count of attach/detach pairs; PLAIT_TEST_SEED repeats a run.

import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import type { Lab } from '../../src/lab/lab.js';
import { waitFor } from '../../src/lab/wait.js';
import type { EndpointAnswer, StatusAnswer } from '../../src/model/api.js';
import { pathsFor } from '../../src/model/paths.js';
import { scenarios } from './support/scenarios.js';

const PAIRS = Number(process.env.PLAIT_TEST_CHURN ?? '100');
const SEED = Number(process.env.PLAIT_TEST_SEED ?? Date.now() % 1_000_000);
const CONTAINERS = 12;
const AT_ONCE = 4;
/** One round in so many ends with a kill. */
const KILL_EVERY = 5;
const MAPS = ['endpoints', 'fdb', 'neighbors', 'networks', 'subnets', 'senders', 'flood'];
const NODE = 'n1';

const random = generator(SEED);
const names = Array.from({ length: CONTAINERS }, (_, index) => `c${index}`);

const { scenario, run } = scenarios({ nodes: 2 }, async (lab) => {
  await lab.plait(NODE, 'network create --subnet 10.10.0.0/24 --subnet fd10:10::/64 app');
  for (const name of names) await lab.addContainer(name);
});

scenario(
  `${PAIRS} attach/detach pairs with agent kills between leave nothing behind (seed ${SEED})`,
  async (lab) => {
    const before = await traces(lab);
    let detached = 0;
    let kills = 0;
    for (let round = 1; detached < PAIRS; round += 1) {
      const attached = await attachedNow(lab);
      const work = shuffled(names).slice(0, AT_ONCE);
      const isLethal = round % KILL_EVERY === 0;
      const settled = Promise.allSettled(work.map((name) => change(lab, name, attached.has(name))));
      if (isLethal) {
        await sleep(random() * 60);
        await lab.killAgent(NODE);
        kills += 1;
      }
      const outcomes = await settled;
      if (isLethal) await restart(lab);
      else for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
      detached += work.filter((name) => attached.has(name)).length;
    }
    for (const name of await attachedNow(lab)) await change(lab, name, true);
    await waitFor('every trace to go', async () => same(await traces(lab), before)).catch(() => {});
    assert.equal(await traces(lab), before);
    await lab.plait(NODE, 'verify');
    console.log(`NOTE ${detached} pairs, ${kills} kills`);
  },
);

async function change(lab: Lab, name: string, isAttached: boolean): Promise<void> {
  const api = lab.client(NODE);
  if (isAttached) await api.delete(`/v1/endpoints/${name}`);
  else await api.post('/v1/endpoints', { network: 'app', name, netns: lab.netns(name) });
}

/** Starts the agent, and waits until it has finished or undone what the kill cut short. */
async function restart(lab: Lab): Promise<void> {
  await lab.startAgent(NODE);
  await waitFor('the agent to have settled everything', async () => {
    const { pending } = await lab.client(NODE).get<StatusAnswer>('/v1/status');
    return pending.rows === 0 && pending.writes === 0;
  });
}

async function attachedNow(lab: Lab): Promise<Set<string>> {
  const answer = await lab.client(NODE).get<EndpointAnswer[]>('/v1/endpoints?network=app');
  return new Set(answer.map(({ name }) => name));
}

/** Everything that an endpoint leaves traces in, in a form that can be compared. */
async function traces(lab: Lab): Promise<Record<string, unknown>> {
  const links = await lab.sh(NODE, 'ip -br link show type veth');
  const inside = await Promise.all(names.map((name) => lab.sh(name, 'ip -br link')));
  const keys = await lab.exec('underlay', [
    'env',
    'ETCDCTL_API=3',
    ...etcdctl(lab),
    'get',
    '--prefix',
    '--keys-only',
    '/plait/',
  ]);
  const rows: Record<string, unknown> = {};
  for (const map of MAPS) rows[map] = JSON.parse(await lab.plait(NODE, `map dump ${map} --format json`));
  return {
    links: links
      .split('\n')
      .map((line) => line.split(/[@ ]/)[0])
      .sort(),
    inside: inside.map((text) => text.trim().split('\n').length),
    pins: readdirSync(pathsFor(lab.root(NODE)).bpf, { recursive: true, encoding: 'utf8' }).sort(),
    keys: keys.split('\n').filter((key) => key !== ''),
    rows,
  };
}

const etcdctl = (lab: Lab): string[] => ['etcdctl', '--endpoints', lab.etcdUrl];
const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

function shuffled<T>(values: readonly T[]): T[] {
  return values
    .map((value) => ({ value, order: random() }))
    .sort((a, b) => a.order - b.order)
    .map(({ value }) => value);
}

/** mulberry32: small, and the same sequence for the same seed. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

run();
