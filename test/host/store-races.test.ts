/*
 * Several clients take and give back addresses of one small range at once, and now and then one dies with its
 * transaction on the way. Whatever happens, no address ever has two holders; afterwards every key has an owner.
 */
// timeout: 120 s
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { PlaitError } from '../../src/model/errors.js';
import { type Endpoint, type Network, randomId } from '../../src/model/records.js';
import { createEndpoint, deleteEndpoint, listEndpoints } from '../../src/store/endpoints.js';
import { collectOrphans } from '../../src/store/gc.js';
import { createNetwork, removeNetwork } from '../../src/store/networks.js';
import { Store } from '../../src/store/store.js';
import { direct } from '../../src/store/writes.js';
import { TestEtcd } from './etcd.js';

const races = suite('store: races');
const CLIENTS = 6;
const ROUNDS = 60;
let etcd: TestEtcd;
let store: Store;

races.before(async () => {
  etcd = await TestEtcd.start();
  store = new Store({ endpoints: [etcd.url] });
});
races.after(async () => {
  store.close();
  await etcd.destroy();
});

/** Park and Miller's generator, so that a failure can be repeated. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48271) % 0x7fffffff;
    return state / 0x7fffffff;
  };
}

/** Takes, gives back, dies. What a client has when it dies is left to whoever finds it. */
async function client(
  network: Network,
  seed: number,
  onLive: (endpoint: Endpoint) => void,
  onGone: (e: Endpoint) => void,
) {
  const random = randomOf(seed);
  const node = randomId();
  let mine: Endpoint[] = [];
  let own = new Store({ endpoints: [etcd.url] });
  for (let round = 0; round < ROUNDS; round++) {
    const dice = random();
    try {
      if (dice < 0.1) {
        // Dies with a transaction under way: nobody knows whether it was done.
        const doubtful = createEndpoint(direct(own), network, { name: 'doubtful', node }).catch(
          () => undefined,
        );
        await sleep(random() * 16); // some before it was done, some after, on slow machines too
        own.close();
        await doubtful;
        own = new Store({ endpoints: [etcd.url] });
      } else if (dice < 0.6) {
        const endpoint = await createEndpoint(
          direct(own),
          network,
          { name: 'e', node },
          dice < 0.3 ? [] : undefined,
        );
        onLive(endpoint);
        mine.push(endpoint);
      } else {
        const [victim, ...rest] = mine;
        if (!victim) continue;
        onGone(victim);
        await deleteEndpoint(own, victim);
        mine = rest;
      }
    } catch (error) {
      assert.instance(error, PlaitError);
      assert.is((error as PlaitError).code, 'RANGE_FULL', String(error));
    }
  }
  own.close();
}

races('no address ever has two holders, and none is left without an owner', async () => {
  const input = { name: 'small', subnets: ['10.1.0.0/26', 'fd00:1::/122'] };
  const network = await createNetwork(store, input, { routes: [], mtu: 1450 });
  const holders = new Map<string, string>();
  const onLive = (endpoint: Endpoint): void => {
    for (const address of endpoint.addresses) {
      assert.not(holders.has(address), `${address} has two holders`);
      holders.set(address, endpoint.id);
    }
  };
  const onGone = (endpoint: Endpoint): void => {
    for (const address of endpoint.addresses) holders.delete(address);
  };
  let isDone = false;
  const collecting = (async () => {
    let collected = 0;
    while (!isDone) collected += (await collectOrphans(store)).addresses.length;
    return collected;
  })();
  await Promise.all(Array.from({ length: CLIENTS }, (_, i) => client(network, 1000 + i, onLive, onGone)));
  isDone = true;
  assert.is(await collecting, 0, 'nothing of a living endpoint was collected, and there was nothing else');

  const endpoints = await listEndpoints(store, network.id);
  const doubtful = endpoints.filter((endpoint) => endpoint.name === 'doubtful');
  assert.ok(doubtful.length > 0, 'some died after their transaction was done');
  const addresses = endpoints.flatMap((endpoint) => endpoint.addresses);
  assert.is(new Set(addresses).size, addresses.length);
  const keys = etcd.keys(`/plait/ipam/${network.id}/`).map((key) => key.slice(key.lastIndexOf('/') + 1));
  assert.equal(keys.sort(), addresses.sort(), 'etcdctl sees the same');
  for (const endpoint of endpoints) await deleteEndpoint(store, endpoint);
  assert.equal(etcd.keys(`/plait/ipam/`), []);
  assert.equal(etcd.keys(`/plait/mac/`), []);
});

races('an endpoint and the removal of its network never both succeed', async () => {
  for (let round = 0; round < 25; round++) {
    const network = await createNetwork(store, { name: `race${round}` }, { routes: [], mtu: 1450 });
    const [created, removed] = await Promise.allSettled([
      createEndpoint(direct(store), network, { name: 'e', node: randomId() }, []),
      removeNetwork(store, network),
    ]);
    assert.is.not(created.status, removed.status, `round ${round}`);
    const left = etcd.keys(`/plait/endpoints/${network.id}/`).length;
    assert.is(left, created.status === 'fulfilled' ? 1 : 0);
    assert.is(etcd.keys(`/plait/ipam/${network.id}/`).length, left);
  }
});

races('thirty nodes that attach at the same moment each get an address', async () => {
  const input = { name: 'crowd', subnets: ['10.2.0.0/24'] };
  const network = await createNetwork(store, input, { routes: [], mtu: 1450 });
  const stores = Array.from({ length: 30 }, () => new Store({ endpoints: [etcd.url] }));
  const made = await Promise.all(
    stores.map((each, i) => createEndpoint(direct(each), network, { name: `e${i}`, node: randomId() }, [])),
  );
  for (const each of stores) each.close();
  assert.is(new Set(made.map((endpoint) => endpoint.addresses[0])).size, 30);
});

races.run();
