// timeout: 240 s

// The comparison with the kernel's overlay, shortened. Noise only takes away, so each is judged by the best of its
// repetitions; PLAIT_TEST_STRICT=1 judges medians of longer ones by the goals.

import * as assert from 'uvu/assert';
import { compare, PLAIN_HOSTS, type Routes, type Row, setUpRoutes } from '../../src/bench/compare.js';
import { table } from '../../src/bench/report.js';
import type { Summary } from '../../src/bench/statistics.js';
import { scenarios } from './support/scenarios.js';
import { STRICT } from './support/strict.js';

const RUN = STRICT ? { repetitions: 7, seconds: 3 } : { repetitions: 4, seconds: 1 };
/** Lowest ratio to the kernel for what should be high, highest for what should be low. */
const BOUNDS = STRICT
  ? { tcp: 1.15, 'ping-pong': 0.8, udp: 1.5 }
  : { tcp: 0.95, 'ping-pong': 0.9, udp: 1.15 };

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

function within({ workload, results }: Row): boolean {
  const { plait, 'kernel vxlan': kernel } = results;
  if (!plait || !kernel) return false;
  if (workload === 'ping-pong') return ratio(plait, kernel, 'min') <= BOUNDS[workload];
  return ratio(plait, kernel, 'max') >= BOUNDS[workload];
}

function ratio(plait: Summary, kernel: Summary, best: 'min' | 'max'): number {
  return STRICT ? plait.median / kernel.median : plait[best] / kernel[best];
}

run();
