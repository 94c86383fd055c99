/* Nodes, leases and what happens when etcd is away, frozen or restarted. */
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Node, randomId } from '../../src/model/records.js';
import { freePort } from '../../src/net/free-port.js';
import { keepAlive } from '../../src/store/alive.js';
import { createEndpoint } from '../../src/store/endpoints.js';
import { nodeKey } from '../../src/store/keys.js';
import { createNetwork } from '../../src/store/networks.js';
import { listNodes, registerNode, removeNode } from '../../src/store/nodes.js';
import { Store } from '../../src/store/store.js';
import { direct } from '../../src/store/writes.js';
import { TestEtcd, until } from './etcd.js';
import { rejects } from './store-refusals.js';

const connection = suite('store: connection and nodes');
let etcd: TestEtcd;
let store: Store;

connection.before(async () => {
  etcd = await TestEtcd.start();
  store = new Store({ endpoints: [etcd.url] });
});
connection.before.each(() => void etcd.ctl('del', '--prefix', '/plait/'));
connection.after(async () => {
  store.close();
  await etcd.destroy();
});

function nodeNamed(name: string, vtep = '192.0.2.1'): Node {
  return { id: randomId(), name, vtep, version: '0.1.0', labels: {}, createdAt: new Date().toISOString() };
}

async function milliseconds(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

connection('an etcd that is not there is told within its time, with the cause', async () => {
  const url = `http://127.0.0.1:${await freePort()}`;
  const absent = new Store({ endpoints: [url], timeoutMs: 1000 });
  const took = await milliseconds(async () => {
    const error = await rejects(
      absent.ping(),
      'STORE_UNAVAILABLE',
      /reach etcd at http:.*: connection refused$/,
    );
    assert.is(error.isTransient, true);
  });
  absent.close();
  assert.ok(took < 1500, `took ${took} ms`);
});

connection('an etcd that accepts and does not answer is told within its time', async () => {
  // gRPC leaves a connection alone that never answered; it must not keep this process.
  const server = createServer((socket) => void socket.unref()).listen(0, '127.0.0.1');
  await until('it listens', () => server.listening);
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const silent = new Store({ endpoints: [`http://127.0.0.1:${port}`], timeoutMs: 1000 });
  const took = await milliseconds(() => rejects(silent.ping(), 'STORE_UNAVAILABLE', /no answer in time$/));
  silent.close();
  server.close();
  assert.ok(took < 1500, `took ${took} ms`);
});

connection('one dead member among several does not matter', async () => {
  const dead = `http://127.0.0.1:${await freePort()}`;
  const several = new Store({ endpoints: [dead, etcd.url, dead] });
  for (let i = 0; i < 20; i++) await several.ping();
  several.close();
});

for (const url of ['127.0.0.1:2379', 'ftp://127.0.0.1', 'http://127.0.0.1:2379/x', 'http://a b', '']) {
  connection(`${JSON.stringify(url)} is no endpoint`, () => {
    assert.throws(() => new Store({ endpoints: [url] }), /use etcd endpoint/);
  });
}

connection('a call waits for an etcd that is being restarted', async () => {
  await etcd.stop('SIGKILL');
  const waiting = store.ping();
  await etcd.start();
  await waiting;
});

connection('a call to a frozen etcd ends in time, and works again after it thaws', async () => {
  const impatient = new Store({ endpoints: [etcd.url], timeoutMs: 500 });
  await impatient.ping();
  await etcd.whileFrozen(() => rejects(impatient.ping(), 'STORE_UNAVAILABLE', /no answer in time/));
  await until('it answers', () =>
    impatient.ping().then(
      () => true,
      () => false,
    ),
  );
  impatient.close();
});

connection(
  'a node that registers again as it is writes nothing, so that no other node hears of it',
  async () => {
    const same = nodeNamed('same', '192.0.2.77');
    await registerNode(direct(store), same);
    const before = await store.get(nodeKey(same.id));
    await registerNode(direct(store), structuredClone(same));
    assert.equal(await store.get(nodeKey(same.id)), before);
    await registerNode(direct(store), { ...same, version: '2' });
    assert.not.equal((await store.get(nodeKey(same.id)))?.modRevision, before?.modRevision);
    await removeNode(store, same);
  },
);

connection('a node registers, renames itself, and gives its old name back', async () => {
  const node = nodeNamed('n1');
  await registerNode(direct(store), node);
  await registerNode(direct(store), { ...node, name: 'n2' });
  assert.equal(await listNodes(store), [{ ...node, name: 'n2' }]);
  assert.equal(etcd.keys('/plait/names/node/'), ['/plait/names/node/n2']);
  await removeNode(store, { ...node, name: 'n2' });
  assert.equal(etcd.keys('/plait/'), []);
});

connection('a name or an address of another node is refused', async () => {
  const n1 = nodeNamed('n1');
  await registerNode(direct(store), n1);
  const alive = keepAlive(store, n1.id);
  await until('n1 is alive', () => etcd.keys('/plait/alive/').length === 1);
  await rejects(
    registerNode(direct(store), nodeNamed('n1', '192.0.2.9')),
    'NAME_TAKEN',
    /node n1: name is taken/,
  );
  await rejects(registerNode(direct(store), nodeNamed('n9')), 'VTEP_TAKEN', /at 192.0.2.1: node n1 is alive/);
  await alive.close();
});

connection('a host that was installed again replaces its silent former self and what that held', async () => {
  const former = nodeNamed('n1');
  await registerNode(direct(store), former);
  const network = await createNetwork(store, { name: 'app' }, { routes: [], mtu: 1450 });
  await createEndpoint(direct(store), network, { name: 'web', node: former.id });
  const now = nodeNamed('n1');
  await registerNode(direct(store), now);
  assert.equal(await listNodes(store), [now]);
  assert.equal(etcd.keys('/plait/endpoints/'), []);
  assert.equal(etcd.keys('/plait/ipam/'), []);
  assert.is(etcd.value('/plait/names/node/n1'), now.id);
});

connection('the sign of life goes at once when closed, and by the lease when killed', async () => {
  const id = randomId();
  const alive = keepAlive(store, id, { ttlSeconds: 2 });
  await until('it is there', () => etcd.keys('/plait/alive/').length === 1);
  await sleep(3000);
  assert.equal(etcd.keys('/plait/alive/'), [`/plait/alive/${id}`], 'it is renewed');
  await alive.close();
  assert.equal(etcd.keys('/plait/alive/'), []);
});

connection('a lost lease is replaced: revoked, key removed, etcd restarted, etcd away for long', async () => {
  const id = randomId();
  let told = 0;
  const alive = keepAlive(store, id, { ttlSeconds: 1, onAlive: () => void told++ });
  const isThere = () => etcd.keys('/plait/alive/').length === 1;
  await until('it is there', isThere);
  const lease = etcd.ctl('lease', 'list').split('\n')[1] ?? '';
  etcd.ctl('lease', 'revoke', lease);
  await until('it is back after the lease was revoked', isThere);
  etcd.ctl('del', `/plait/alive/${id}`);
  await until('it is back after the key was removed', isThere);
  await etcd.stop('SIGKILL');
  await sleep(2500);
  await etcd.start();
  await until('it is told after the restart', () => told >= 3 && isThere());
  await sleep(1500);
  assert.ok(isThere(), 'it is still renewed');
  await alive.close();
});

connection('an etcd that is away at the start is waited for', async () => {
  await etcd.stop();
  const errors: string[] = [];
  const patient = new Store({ endpoints: [etcd.url], timeoutMs: 300 });
  const alive = keepAlive(patient, randomId(), { onLost: (error) => void errors.push(error.code) });
  await until('it complains', () => errors.length > 0);
  await etcd.start();
  await until('it is there', () => etcd.keys('/plait/alive/').length === 1);
  assert.equal(new Set(errors), new Set(['STORE_UNAVAILABLE']));
  await alive.close();
  patient.close();
});

connection.run();
