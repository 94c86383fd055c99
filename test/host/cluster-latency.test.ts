// timeout: 300 s

// How long after the command an endpoint is reachable from another host, by address and by name.
// PLAIT_TEST_ATTACHES changes the count.

import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { percentile } from '../../src/bench/statistics.js';
import type { Job } from '../../src/lab/exec.js';
import type { Lab } from '../../src/lab/lab.js';
import { waitFor } from '../../src/lab/wait.js';
import { patience } from '../../src/patience.js';
import { allReach, attach } from './support/containers.js';
import { scenarios } from './support/scenarios.js';
import { STRICT } from './support/strict.js';

const ATTACHES = Number(process.env.PLAIT_TEST_ATTACHES ?? '200');
/** A lost first packet or a missed ARP reply would cost a second. */
const LIMIT_MS = patience(STRICT ? 100 : 300);
const PROBE = join(import.meta.dirname, 'support', 'probe.js');

const { scenario, run } = scenarios({ nodes: 3 }, async (lab) => {
  await lab.plait('n1', 'network create --subnet 10.10.0.0/16 app');
  const first = [await attach(lab, 'n1', 'p1'), await attach(lab, 'n2', 'p2'), await attach(lab, 'n3', 'p3')];
  await allReach(lab, first);
});

scenario(`attach to reachable by name and address: p99 of ${ATTACHES} under ${LIMIT_MS} ms`, async (lab) => {
  const probes = ['p2', 'p3'].map((member) =>
    lab.start(member, `${process.execPath} ${PROBE} ${ATTACHES} web`),
  );
  try {
    for (const probe of probes) await waitFor('the probe to start', () => probe.stdout.includes('ready\n'));
    const times: number[] = [];
    for (let index = 0; index < ATTACHES; index += 1)
      times.push(await attachAndReach(lab, probes, `web${index}`));
    const [p50, p99] = [percentile(times, 0.5), percentile(times, 0.99)];
    console.log(
      `NOTE request to reachable from both other hosts: p50 ${p50} ms, p99 ${p99} ms of ${ATTACHES}`,
    );
    assert.ok(p99 < LIMIT_MS, `p99 is ${p99} ms: ${times.join(' ')}`);
  } finally {
    for (const probe of probes) await probe.stop('SIGKILL');
  }
});

/** Milliseconds from the request to the agent until the slower of the probes has had its answer. */
async function attachAndReach(lab: Lab, probes: readonly Job[], name: string): Promise<number> {
  const netns = await lab.addContainer(name);
  const started = Date.now();
  await lab.client('n1').post('/v1/endpoints', { network: 'app', name, netns });
  const answered = new RegExp(`^${name} (\\d+)$`, 'm');
  await waitFor(`${name} to be reached`, () => probes.every((probe) => answered.test(probe.stdout)));
  return Math.max(...probes.map((probe) => Number(answered.exec(probe.stdout)?.[1]))) - started;
}

run();
