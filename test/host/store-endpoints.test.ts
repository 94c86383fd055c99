/* Endpoints and their addresses in a real etcd; etcdctl reads the keys. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { NetworkInput } from '../../src/model/inputs.js';
import { EXTERNAL_NODE, type Network, randomId } from '../../src/model/records.js';
import { createEndpoints, deleteEndpoints } from '../../src/store/bulk.js';
import { createEndpoint, deleteEndpoint, listEndpoints } from '../../src/store/endpoints.js';
import { collectOrphans } from '../../src/store/gc.js';
import { createNetwork, removeNetwork } from '../../src/store/networks.js';
import { Store } from '../../src/store/store.js';
import { direct } from '../../src/store/writes.js';
import { TestEtcd } from './etcd.js';
import { rejects } from './store-refusals.js';

const endpoints = suite('store: endpoints');
const node = randomId();
let etcd: TestEtcd;
let store: Store;
let count = 0;

endpoints.before(async () => {
  etcd = await TestEtcd.start();
  store = new Store({ endpoints: [etcd.url] });
});
endpoints.after(async () => {
  store.close();
  await etcd.destroy();
});

/** A network of its own for each test; its subnet is 10.<n>.0.0/16 unless given. */
async function newNetwork(input: Partial<NetworkInput> = {}): Promise<Network> {
  count += 1;
  const name = `net${count}`;
  return createNetwork(store, { name, subnets: [`10.${count}.0.0/16`], ...input }, { routes: [], mtu: 1450 });
}

endpoints('an endpoint is its record and the keys of what it holds, and nothing remains of it', async () => {
  const network = await newNetwork({ subnets: ['10.99.0.0/24', 'fd00:99::/64'] });
  const endpoint = await createEndpoint(direct(store), network, { name: 'web', node, aliases: ['www'] });
  assert.equal(endpoint.addresses, ['10.99.0.2', 'fd00:99::2']);
  assert.match(endpoint.mac, /^[0-9a-f][26ae](:[0-9a-f]{2}){5}$/);
  const key = `/plait/endpoints/${network.id}/${node}/${endpoint.id}`;
  assert.equal(JSON.parse(etcd.value(key)), endpoint);
  assert.is(etcd.value(`/plait/ipam/${network.id}/10.99.0.2`), endpoint.id);
  assert.is(etcd.value(`/plait/ipam/${network.id}/fd00:99::2`), endpoint.id);
  assert.is(etcd.value(`/plait/mac/${network.id}/${endpoint.mac}`), endpoint.id);
  assert.is(await deleteEndpoint(store, endpoint), true);
  assert.is(await deleteEndpoint(store, endpoint), false);
  for (const kind of ['endpoints', 'ipam', 'mac']) {
    assert.equal(etcd.keys(`/plait/${kind}/${network.id}`), []);
  }
});

endpoints('addresses are the lowest free ones of the range, and freed ones come again', async () => {
  const network = await newNetwork({ subnets: ['10.98.0.0/16'], ranges: ['10.98.10.0/24'] });
  const made = [];
  for (let i = 0; i < 4; i++)
    made.push(await createEndpoint(direct(store), network, { name: `e${i}`, node }));
  assert.equal(
    made.map((e) => e.addresses[0]),
    ['10.98.10.0', '10.98.10.1', '10.98.10.2', '10.98.10.3'],
  );
  if (made[1]) await deleteEndpoint(store, made[1]);
  const again = await createEndpoint(direct(store), network, { name: 'again', node });
  assert.equal(again.addresses, ['10.98.10.1']);
});

endpoints('a stale idea of what is taken costs a retry, not a wrong address', async () => {
  const network = await newNetwork();
  const first = await createEndpoint(direct(store), network, { name: 'a', node });
  const second = await createEndpoint(direct(store), network, { name: 'b', node }, []);
  assert.is.not(second.addresses[0], first.addresses[0]);
  const full = Array.from({ length: 65536 }, (_, i) => `10.${count}.${i >> 8}.${i & 255}`);
  const third = await createEndpoint(direct(store), network, { name: 'c', node }, full);
  assert.equal(third.addresses, [`10.${count}.0.4`]);
});

endpoints('a taken address or mac names its holder', async () => {
  const network = await newNetwork();
  const address = `10.${count}.0.77`;
  const mac = '02:00:00:00:00:77';
  await createEndpoint(direct(store), network, { name: 'web', node, addresses: [address], mac });
  const other = { name: 'other', node };
  await rejects(
    createEndpoint(direct(store), network, { ...other, addresses: [address] }),
    'ADDRESS_TAKEN',
    /web has it/,
  );
  await rejects(createEndpoint(direct(store), network, { ...other, mac }), 'MAC_TAKEN', /web has it/);
  assert.is((await listEndpoints(store, network.id)).length, 1);
});

for (const [what, input, message] of [
  ['outside of the network', { addresses: ['192.0.2.1'] }, /not in network/],
  ['of the gateway', { addresses: ['10.97.0.1'] }, /the gateway/],
  ['of the network', { addresses: ['10.97.0.0'] }, /the network address/],
  ['of broadcast', { addresses: ['10.97.0.255'] }, /the broadcast address/],
  ['twice one version', { addresses: ['10.97.0.5', '10.97.0.6'] }, /at most one/],
  ['that is none', { addresses: ['10.97.0'] }, /not an IPv4/],
  ['with a group mac', { mac: '01:00:5e:00:00:01' }, /group/],
  ['with the gateway mac', { mac: '02:50:4c:41:49:54' }, /gateway/],
  ['with a bad name', { name: '-x' }, /not a DNS name/],
  ['with a vtep on a node', { vtep: '192.0.2.1' }, /only declared/],
  ['declared without a vtep', { node: EXTERNAL_NODE }, /vtep is missing/],
] as const) {
  endpoints(`an address ${what} is refused`, async () => {
    const network = { ...(await newNetwork()), subnets: [{ subnet: '10.97.0.0/24', gateway: '10.97.0.1' }] };
    await rejects(
      createEndpoint(direct(store), network, { name: 'x', node, ...input }),
      'INVALID_INPUT',
      message,
    );
    assert.equal(etcd.keys(`/plait/endpoints/${network.id}`), []);
  });
}

endpoints('a full range says so, with its name and number', async () => {
  const network = await newNetwork({ subnets: ['10.96.0.0/29'] });
  for (let i = 0; i < 5; i++) await createEndpoint(direct(store), network, { name: `e${i}`, node });
  const message = new RegExp(`${network.name}: range 10.96.0.0/29 is full, 5 in use`);
  await rejects(createEndpoint(direct(store), network, { name: 'x', node }), 'RANGE_FULL', message);
  await rejects(createEndpoint(direct(store), network, { name: 'x', node }, []), 'RANGE_FULL', message);
});

endpoints('a network that was removed takes no endpoint', async () => {
  const network = await newNetwork();
  await removeNetwork(store, network);
  await rejects(createEndpoint(direct(store), network, { name: 'x', node }), 'NOT_FOUND', /no such network/);
  assert.equal(etcd.keys(`/plait/ipam/${network.id}`), []);
});

endpoints('asking twice with one id, because the answer got lost, makes one endpoint', async () => {
  const network = await newNetwork();
  const input = { id: randomId(), name: 'web', node };
  const first = await createEndpoint(direct(store), network, input);
  assert.equal(await createEndpoint(direct(store), network, input), first);
  assert.equal(etcd.keys(`/plait/ipam/${network.id}`).length, 1);
});

endpoints('addresses whose owner was removed by hand are given back, others are not', async () => {
  const network = await newNetwork({ subnets: ['10.95.0.0/30'], gateways: ['10.95.0.2'] });
  const lost = await createEndpoint(direct(store), network, { name: 'lost', node });
  await rejects(createEndpoint(direct(store), network, { name: 'x', node }), 'RANGE_FULL', /1 in use/);
  etcd.ctl('del', `/plait/endpoints/${network.id}/${node}/${lost.id}`);
  const next = await createEndpoint(direct(store), network, { name: 'next', node });
  assert.equal(next.addresses, lost.addresses);
  assert.equal(await collectOrphans(store), { addresses: [], macs: [] });
  etcd.ctl('del', `/plait/endpoints/${network.id}/${node}/${next.id}`);
  const asked = { name: 'asked', node, addresses: next.addresses, mac: next.mac };
  const third = await createEndpoint(direct(store), network, asked);
  assert.is(etcd.value(`/plait/ipam/${network.id}/${third.addresses[0]}`), third.id);
  assert.equal(await collectOrphans(store), { addresses: [], macs: [] });
});

endpoints('10,000 endpoints are declared in one go, and removed', async () => {
  const network = await newNetwork({ subnets: ['10.100.0.0/16', 'fd00:100::/64'] });
  const inputs = Array.from({ length: 10_000 }, (_, i) => ({
    name: `peer${i}`,
    node: EXTERNAL_NODE,
    vtep: `192.0.2.${1 + (i % 3)}`,
  }));
  const made = await createEndpoints(direct(store), network, inputs);
  assert.equal(
    made.map((endpoint) => endpoint.name),
    inputs.map((input) => input.name),
  );
  assert.is(new Set(made.flatMap((endpoint) => endpoint.addresses)).size, 20_000);
  assert.is(etcd.keys(`/plait/ipam/${network.id}`).length, 20_000);
  assert.is(etcd.keys(`/plait/endpoints/${network.id}/external`).length, 10_000);
  await deleteEndpoints(store, made);
  assert.equal(etcd.keys(`/plait/endpoints/${network.id}`), []);
  assert.equal(etcd.keys(`/plait/ipam/${network.id}`), []);
  assert.equal(etcd.keys(`/plait/mac/${network.id}`), []);
});

endpoints('many at once are all made or none', async () => {
  const network = await newNetwork();
  const holder = `10.${count}.0.200`;
  await createEndpoint(direct(store), network, { name: 'holder', node, addresses: [holder] });
  const peer = { node: EXTERNAL_NODE, vtep: '192.0.2.1' };
  const inputs = Array.from({ length: 500 }, (_, i) => ({ ...peer, name: `p${i}` }));
  const taken = { ...peer, name: 'taken', addresses: [holder] };
  await rejects(
    createEndpoints(direct(store), network, [...inputs, taken]),
    'ADDRESS_TAKEN',
    /endpoint holder has it/,
  );
  await rejects(
    createEndpoints(direct(store), network, [taken, { ...taken, name: 'b' }]),
    'ADDRESS_TAKEN',
    /same request/,
  );
  assert.is(etcd.keys(`/plait/endpoints/${network.id}`).length, 1);
  assert.is(etcd.keys(`/plait/ipam/${network.id}`).length, 1);
  const made = await createEndpoints(direct(store), network, [
    ...inputs,
    { ...taken, addresses: [`10.${count}.0.2`] },
  ]);
  assert.is(new Set(made.flatMap((endpoint) => endpoint.addresses)).size, 501);
});

endpoints.run();
