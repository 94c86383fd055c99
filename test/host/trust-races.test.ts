// timeout: 300 s

// Workers attach and detach as fast as they can, by way of managers that are killed all the time, agent and etcd. No address is
// handed out twice, at no moment, and what etcd holds in the end is what there is.

import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import type { Lab } from '../../src/lab/lab.js';
import { waitFor } from '../../src/lab/wait.js';
import type { EndpointAnswer } from '../../src/model/api.js';
import { filesOf } from './support/outsider.js';
import { scenarios } from './support/scenarios.js';

const WORKERS = ['n4', 'n5'];
const MANAGERS = ['n1', 'n2', 'n3'];
const EACH = 24;
const RUN_MS = 1000 * Number(process.env.PLAIT_TEST_RACE_S ?? '30');

const { scenario, run } = scenarios({ nodes: 5, managers: 3 }, async (lab) => {
  await lab.plait('n1', 'network create --subnet 10.10.0.0/26 app'); // few addresses: all are wanted by all
  for (const worker of WORKERS) {
    for (let index = 0; index < EACH; index++) await lab.addContainer(`${worker}x${index}`);
  }
});

/** /plait/ipam/<network>/<address> → endpoint, as etcd has it. */
async function held(lab: Lab): Promise<Map<string, string>> {
  const { ca, certificate, key } = filesOf(lab, 'n1');
  const line = `env ETCDCTL_API=3 etcdctl --endpoints https://127.0.0.1:2379 --cacert ${ca} --cert ${certificate} --key ${key} get --prefix /plait/ipam/`;
  const lines = (await lab.sh('n1', line)).trim().split('\n');
  const pairs = lines.flatMap((text, index) =>
    index % 2 === 0 ? [[text, lines[index + 1] ?? ''] as const] : [],
  );
  return new Map(
    pairs.filter(([address]) => address !== '').map(([address, id]) => [address.split('/').at(-1) ?? '', id]),
  );
}

scenario('no address twice, whoever is killed', async (lab) => {
  const end = performance.now() + RUN_MS;
  let attached = 0;
  let refused = 0;
  const work = async (worker: string, index: number): Promise<void> => {
    const name = `${worker}x${index}`;
    while (performance.now() < end) {
      const line = ['plait', 'attach', '--network', 'app', '--name', name, lab.netns(name)];
      const { status } = await lab.try(worker, line);
      if (status !== 0) {
        refused += 1;
        await sleep(300);
        continue;
      }
      attached += 1;
      await lab.try(worker, ['plait', 'detach', name]);
    }
  };
  const kill = async (): Promise<void> => {
    for (let turn = 0; performance.now() < end; turn++) {
      const manager = MANAGERS[turn % MANAGERS.length] ?? '';
      await lab.killAgent(manager);
      await sleep(700);
      await lab.startAgent(manager);
      await sleep(1500);
    }
  };
  const overlaps: string[] = [];
  const look = async (): Promise<void> => {
    while (performance.now() < end) {
      const seen = await lab
        .client('n4')
        .get<EndpointAnswer[]>('/v1/endpoints')
        .catch(() => []);
      const addresses = seen.flatMap((endpoint) => endpoint.addresses);
      const twice = addresses.filter((address, at) => addresses.indexOf(address) !== at);
      overlaps.push(...twice);
      await sleep(100);
    }
  };
  const workers = WORKERS.flatMap((worker) => [0, 1, 2, 3].map((index) => work(worker, index)));
  await Promise.all([...workers, kill(), look()]);
  console.log(`NOTE ${attached} attached, ${refused} refused while managers were killed`);
  assert.ok(attached > 20, `${attached} attached`);
  assert.equal(overlaps, []);
});

scenario('what is attached in the end is what etcd holds, each address once', async (lab) => {
  for (const manager of MANAGERS) {
    await waitFor(
      `${manager} to follow etcd`,
      async () => (await lab.try(manager, ['plait', 'verify'])).status === 0,
      30_000,
    );
  }
  const wanted = WORKERS.flatMap((worker) =>
    Array.from({ length: EACH }, (_, index) => [worker, `${worker}x${index}`] as const),
  );
  await Promise.all(
    WORKERS.map(async (worker) => {
      for (const [, name] of wanted.filter(([at]) => at === worker)) {
        await lab.try(worker, ['plait', 'detach', name]);
        await waitFor(`${name} to be attached`, async () => {
          return (
            (await lab.try(worker, ['plait', 'attach', '--network', 'app', '--name', name, lab.netns(name)]))
              .status === 0
          );
        });
      }
    }),
  );
  await waitFor(
    'etcd to hold these addresses and no others',
    async () => {
      const inUse = new Map<string, string>();
      for (const worker of WORKERS) {
        for (const { id, addresses } of await lab.client(worker).get<EndpointAnswer[]>('/v1/endpoints')) {
          for (const address of addresses) inUse.set(address, id);
        }
      }
      const inEtcd = await held(lab);
      const isSame = [...inUse].every(([address, id]) => inEtcd.get(address) === id);
      return inUse.size === 2 * EACH && isSame && inEtcd.size === inUse.size;
    },
    60_000,
  );
  for (const { name } of lab.nodes) {
    await waitFor(
      `verify at ${name}`,
      async () => (await lab.try(name, ['plait', 'verify'])).status === 0,
      30_000,
    );
  }
});

run();
