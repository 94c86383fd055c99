// timeout: 400 s

// Two hundred containers on two hosts, started and removed by eight clients at a time.

import * as assert from 'uvu/assert';
import { waitFor } from '../../src/lab/wait.js';
import type { EndpointAnswer } from '../../src/model/api.js';
import { scenarios } from '../host/support/scenarios.js';
import { type Engine, startEngines } from './support/engines.js';

const CLIENTS = 8;
const EACH = 25;
let d1: Engine;
let d2: Engine;

const { scenario, run } = scenarios({ nodes: 2 }, async (lab) => {
  [d1, d2] = (await startEngines(lab)) as [Engine, Engine];
  await lab.plait('n1', 'network create --subnet 10.77.0.0/23 app');
  for (const engine of [d1, d2]) {
    const has = async () => (await engine.try('network inspect app')).status === 0;
    await waitFor('Docker to have the network', has, 15_000);
  }
});

interface Container {
  readonly engine: Engine;
  readonly name: string;
}

/** The clients side by side, half of them on each host, each one container after the other. Returns the seconds. */
async function byClients(work: (container: Container) => Promise<unknown>): Promise<number> {
  const started = performance.now();
  const clients = Array.from({ length: CLIENTS }, async (_, client) => {
    const engine = client % 2 === 0 ? d1 : d2;
    for (let at = 0; at < EACH; at++) await work({ engine, name: `c${client}-${at}` });
  });
  await Promise.all(clients);
  return Math.round((performance.now() - started) / 1000);
}

scenario(
  'two hundred are started, each with an address of its own, and all are reached from both hosts',
  async (lab) => {
    const seconds = await byClients(({ engine, name }) => engine.run(name, '--network app'));
    console.log(`NOTE ${CLIENTS * EACH} containers started by ${CLIENTS} clients in ${seconds} s`);
    const endpoints = JSON.parse(await lab.plait('n1', 'endpoint ls --format json')) as EndpointAnswer[];
    const addresses = new Set(endpoints.flatMap((endpoint) => endpoint.addresses));
    assert.is(addresses.size, CLIENTS * EACH);
    const waiting = [...addresses];
    const missed: string[] = [];
    const pinger = async (engine: Engine, from: string, own: readonly string[]): Promise<void> => {
      for (const address of own) {
        const { status } = await engine.exec(from, `ping -c 1 -W 2 ${address}`);
        if (status !== 0) missed.push(`${address} from ${from}`);
      }
    };
    const parts = [0, 1, 2, 3].map((part) => waiting.filter((_, at) => at % 4 === part));
    await Promise.all(parts.flatMap((part) => [pinger(d1, 'c0-0', part), pinger(d2, 'c1-0', part)]));
    assert.equal(missed, []);
  },
);

scenario('all are removed, and nothing is left of them', async (lab) => {
  const seconds = await byClients(({ engine, name }) => engine.docker(`rm -f ${name}`));
  console.log(`NOTE ${CLIENTS * EACH} containers removed by ${CLIENTS} clients in ${seconds} s`);
  assert.equal(JSON.parse(await lab.plait('n1', 'endpoint ls --format json')), []);
  for (const { name } of lab.nodes) {
    assert.not.match(await lab.sh(name, 'ip -br link'), /^pl[0-9a-f]{11}/m);
    await lab.plait(name, 'verify');
  }
});

scenario('the engines go', async () => {
  await Promise.all([d1, d2].map((engine) => engine.remove()));
});

run();
