// timeout: 240 s

// The comparison with the kernel's overlay, shortened. What must hold in every run are the ratios; the bounds here are
// softer than what a quiet machine shows, because this one may be busy. PLAIT_TEST_BENCH=full asserts the goals.

import * as assert from 'uvu/assert';
import { compare, PLAIN_HOSTS, type Routes, type Row, setUpRoutes } from '../../src/bench/compare.js';
import { table } from '../../src/bench/report.js';
import { scenarios } from './support/scenarios.js';

const FULL = process.env.PLAIT_TEST_BENCH === 'full';
const RUN = FULL ? { repetitions: 7, seconds: 3 } : { repetitions: 5, seconds: 1 };
/** Lowest ratio to the kernel for what should be high, highest for what should be low. */
const BOUNDS = FULL ? { tcp: 1.15, 'ping-pong': 0.8, udp: 1.5 } : { tcp: 1.0, 'ping-pong': 0.88, udp: 1.25 };

let routes: Routes = {};
const { scenario, run } = scenarios({ nodes: 2, plainHosts: [...PLAIN_HOSTS] }, async (lab) => {
  routes = await setUpRoutes(lab);
});

const claims = [
  { workload: 'tcp', claim: 'one TCP stream moves more' },
  { workload: 'ping-pong', claim: 'a TCP ping-pong takes less time' },
  { workload: 'udp', claim: 'more small UDP packets arrive' },
] as const;

for (const { workload, claim } of claims) {
  scenario(`${claim} than through the kernel’s vxlan device and bridge`, async (lab) => {
    const [row] = await compare(lab, routes, { ...RUN, workloads: [workload] });
    assert.ok(row);
    console.log(`NOTE ${table([row]).split('\n')[1]}`);
    assert.ok(within(row), table([row]));
  });
}

function within({ workload, ratio }: Row): boolean {
  if (ratio === null) return false;
  return workload === 'ping-pong' ? ratio <= BOUNDS[workload] : ratio >= BOUNDS[workload];
}

run();
