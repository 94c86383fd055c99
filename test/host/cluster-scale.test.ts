// timeout: 300 s

// Ten thousand endpoints that three agents follow. They are declared, not attached: what is measured is the control
// plane and the maps. PLAIT_TEST_ENDPOINTS changes the number.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { Lab } from '../../src/lab/lab.js';
import { waitFor } from '../../src/lab/wait.js';
import type { StatusAnswer, VerifyAnswer } from '../../src/model/api.js';
import { patience } from '../../src/patience.js';
import { attach, reach } from './support/containers.js';
import { scenarios } from './support/scenarios.js';
import { STRICT } from './support/strict.js';

const ENDPOINTS = Number(process.env.PLAIT_TEST_ENDPOINTS ?? '10000');
const VTEPS = 100;
const RESTART_LIMIT_MS = patience(STRICT ? 2000 : 8000);
const LOCAL = 3;
/** An agent without endpoints takes about 95; each one known adds less than 1 KiB, as long as V8 has nothing to collect. */
const RESIDENT_LIMIT_MIB = 180;

const { scenario, run } = scenarios({ nodes: 3 }, async (lab) => {
  await lab.plait('n1', 'network create --subnet 10.64.0.0/15 app');
  for (const [index, { name }] of lab.nodes.entries()) await attach(lab, name, `c${index + 1}`);
});

scenario(
  `${ENDPOINTS} declared endpoints are in the maps of three agents, and verify is clean`,
  async (lab) => {
    const file = join(lab.root('n1'), 'declared.json');
    writeFileSync(file, JSON.stringify(Array.from({ length: ENDPOINTS }, (_, index) => declared(index))));
    const started = performance.now();
    await lab.plait('n1', `endpoint add --file ${file}`, { timeout: 120_000 });
    const written = performance.now();
    for (const { name } of lab.nodes) await converged(lab, name, 60_000);
    const done = performance.now();
    console.log(`NOTE declared in ${ms(written - started)}, in all maps ${ms(done - written)} later`);

    for (const { name } of lab.nodes) {
      const { differences, checked } = await lab.client(name).get<VerifyAnswer>('/v1/verify');
      assert.equal(differences, []);
      assert.ok((checked.fdb ?? 0) >= ENDPOINTS, `${name} compared ${JSON.stringify(checked)}`);
      await lab.plait(name, 'verify');
    }
  },
);

scenario('an entry of the map says what was declared', async (lab) => {
  const { mac, ip, vtep } = declared(ENDPOINTS - 1);
  const rows = await lab.plait('n3', `map dump fdb --mac ${mac} --format json`);
  assert.ok(rows.includes(mac) && rows.includes(vtep), rows);
  assert.ok((await lab.plait('n3', `map dump neighbors --ip ${ip[0]} --format json`)).includes(mac));
});

scenario(`an agent that restarts is converged again within ${RESTART_LIMIT_MS} ms`, async (lab) => {
  const times: number[] = [];
  for (let repetition = 0; repetition < 3; repetition += 1) {
    await lab.killAgent('n2');
    const started = performance.now();
    lab.launchAgent('n2');
    await converged(lab, 'n2', 20_000);
    times.push(performance.now() - started);
  }
  console.log(`NOTE restart to converged: ${times.map(ms).join(', ')}`);
  assert.ok(Math.min(...times) < RESTART_LIMIT_MS, times.map(ms).join(', '));
  await lab.plait('n2', 'verify');
});

scenario(
  `left alone, an agent is below ${RESIDENT_LIMIT_MIB} MiB; new containers are reached at once`,
  async (lab) => {
    const sizes = async (): Promise<number[]> => {
      const all = await Promise.all(lab.nodes.map(({ name }) => status(lab, name)));
      return all.map(({ memory }) => memory.residentBytes / 2 ** 20);
    };
    const text = (all: number[]): string =>
      `resident: ${all.map((mib) => `${mib.toFixed(0)} MiB`).join(', ')}`;
    console.log(`NOTE at once, ${text(await sizes())}`);
    const areSmall = async () => (await sizes()).every((mib) => mib < RESIDENT_LIMIT_MIB);
    await waitFor('the agents to give back what they do not use', areSmall, 30_000).catch(async (error) => {
      throw new Error(`${error.message}; ${text(await sizes())}`);
    });
    console.log(`NOTE left alone, ${text(await sizes())}`);
    const late = await attach(lab, 'n1', 'late');
    await reach(lab, 'c3', late.address);
  },
);

function declared(index: number): { network: string; name: string; vtep: string; mac: string; ip: string[] } {
  const [high, low] = [index >> 8, index & 255];
  const hex = (value: number): string => value.toString(16).padStart(2, '0');
  return {
    network: 'app',
    name: `far${index}`,
    vtep: `192.0.2.${100 + (index % VTEPS)}`,
    mac: `02:00:00:aa:${hex(high)}:${hex(low)}`,
    ip: [`10.65.${high}.${low}`],
  };
}

/** Follows etcd, knows every endpoint, and has nothing left to write into the maps. */
async function converged(lab: Lab, node: string, timeoutMs: number): Promise<void> {
  await waitFor(
    `${node} to converge`,
    async () => {
      const now = await status(lab, node).catch(() => undefined);
      if (now?.etcd.state !== 'connected' || now.pending.rows > 0) return false;
      const fdb = now.maps.find((map) => map.name === 'fdb');
      return now.endpoints.known >= ENDPOINTS + LOCAL && (fdb?.entries ?? 0) >= ENDPOINTS + LOCAL;
    },
    timeoutMs,
  );
}

function status(lab: Lab, node: string): Promise<StatusAnswer> {
  return lab.client(node).get<StatusAnswer>('/v1/status');
}

const ms = (milliseconds: number): string => `${milliseconds.toFixed(0)} ms`;

run();
