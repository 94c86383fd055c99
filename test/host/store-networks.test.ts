/* Creating and removing networks in a real etcd; etcdctl reads the keys. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { NetworkHost, NetworkInput } from '../../src/model/inputs.js';
import { randomId } from '../../src/model/records.js';
import { createEndpoint, deleteEndpoint } from '../../src/store/endpoints.js';
import { createNetwork, listNetworks, removeNetwork, restoreNetwork } from '../../src/store/networks.js';
import { Store } from '../../src/store/store.js';
import { direct } from '../../src/store/writes.js';
import { TestEtcd } from './etcd.js';
import { rejects } from './store-refusals.js';

const networks = suite('store: networks');
const host: NetworkHost = {
  mtu: 1450,
  routes: [
    { subnet: '0.0.0.0/0', name: 'route default dev eth0' },
    { subnet: '172.30.0.0/16', name: 'route 172.30.0.0/16 dev eth0' },
    { subnet: '10.128.0.0/24', name: 'route 10.128.0.0/24 dev lab0' },
  ],
};
let etcd: TestEtcd;
let store: Store;

networks.before(async () => {
  etcd = await TestEtcd.start();
  store = new Store({ endpoints: [etcd.url] });
});
networks.before.each(() => void etcd.ctl('del', '--prefix', '/plait/'));
networks.after(async () => {
  store.close();
  await etcd.destroy();
});

const create = (input: NetworkInput) => createNetwork(store, input, host);

networks('a network is its record, its name and its vni; removing it leaves no key', async () => {
  const network = await create({
    name: 'app',
    subnets: ['10.10.0.0/24'],
    labels: { tier: 'web' },
    mtu: 1400,
  });
  const { id, createdAt } = network;
  assert.equal(JSON.parse(etcd.value(`/plait/networks/${id}`)), {
    id,
    name: 'app',
    vni: 4096,
    subnets: [{ subnet: '10.10.0.0/24', gateway: '10.10.0.1' }],
    internal: false,
    mtu: 1400,
    labels: { tier: 'web' },
    options: {},
    createdAt,
  });
  assert.is(etcd.value('/plait/names/network/app'), id);
  assert.is(etcd.value('/plait/vni/4096'), id);
  await removeNetwork(store, network);
  assert.equal(etcd.keys('/plait/'), ['/plait/networks-generation']);
  await rejects(removeNetwork(store, network), 'NOT_FOUND', /no such network/);
});

networks(
  'without a subnet it gets the first free /24 of the pool, clear of routes and networks',
  async () => {
    const subnets = [];
    for (const name of ['a', 'b', 'c']) subnets.push((await create({ name })).subnets[0]?.subnet);
    assert.equal(subnets, ['10.128.1.0/24', '10.128.2.0/24', '10.128.3.0/24']);
  },
);

networks('vnis are the lowest free ones from 4096 up', async () => {
  const [a, b] = [await create({ name: 'a' }), await create({ name: 'b', vni: 4098 })];
  assert.is((await create({ name: 'c' })).vni, 4097);
  assert.is((await create({ name: 'd' })).vni, 4099);
  await removeNetwork(store, a);
  assert.is((await create({ name: 'e' })).vni, 4096);
  await rejects(create({ name: 'f', vni: b.vni }), 'VNI_TAKEN', /vni 4098: network b has it/);
});

const refusals: [string, NetworkInput, string, RegExp][] = [
  ['a taken name', { name: 'taken' }, 'NAME_TAKEN', /network taken: name is taken/],
  ['a subnet of another', { name: 'x', subnets: ['10.10.0.0/25'] }, 'SUBNET_OVERLAP', /of network taken/],
  ['a subnet around another', { name: 'x', subnets: ['10.8.0.0/13'] }, 'SUBNET_OVERLAP', /of network taken/],
  [
    'a subnet of the host',
    { name: 'x', subnets: ['172.30.9.0/24'] },
    'SUBNET_OVERLAP',
    /172.30.0.0\/16 dev eth0/,
  ],
  [
    'two overlapping ones',
    { name: 'x', subnets: ['10.20.0.0/16', '10.20.1.0/24'] },
    'SUBNET_OVERLAP',
    /same network/,
  ],
  ['a bad name', { name: '-x' }, 'INVALID_INPUT', /network name/],
];
for (const [what, input, code, message] of refusals) {
  networks(`${what} is refused and nothing is written`, async () => {
    await create({ name: 'taken', subnets: ['10.10.0.0/24'] });
    const before = etcd.keys('/plait/');
    await rejects(create(input), code, message);
    assert.equal(etcd.keys('/plait/'), before);
  });
}

networks('a network with endpoints stays, and says who they are', async () => {
  const network = await create({ name: 'app' });
  const endpoint = await createEndpoint(direct(store), network, { name: 'web', node: randomId() });
  await rejects(removeNetwork(store, network), 'NETWORK_IN_USE', /1 endpoint\(s\) on it: web/);
  await deleteEndpoint(store, endpoint);
  await removeNetwork(store, network);
  assert.equal(await listNetworks(store), []);
});

networks('twelve nodes that create at once share no subnet, no vni and no name', async () => {
  const stores = Array.from({ length: 12 }, () => new Store({ endpoints: [etcd.url] }));
  const made = await Promise.all(stores.map((each, i) => createNetwork(each, { name: `n${i}` }, host)));
  assert.is(new Set(made.map((network) => network.vni)).size, 12);
  assert.is(new Set(made.map((network) => network.subnets[0]?.subnet)).size, 12);
  const same = await Promise.allSettled(
    stores.map((each) => createNetwork(each, { name: 'same', subnets: ['10.10.0.0/24'] }, host)),
  );
  assert.is(same.filter((outcome) => outcome.status === 'fulfilled').length, 1);
  for (const each of stores) each.close();
});

networks('a record that cannot be read keeps its name and its vni', async () => {
  const network = await create({ name: 'app' });
  etcd.ctl('put', `/plait/networks/${network.id}`, '{');
  assert.equal(await listNetworks(store), []);
  await rejects(create({ name: 'app' }), 'NAME_TAKEN', new RegExp(network.id));
  assert.is((await create({ name: 'b' })).vni, 4097);
});

networks('fields that a newer version wrote are kept', async () => {
  const network = await create({ name: 'app' });
  etcd.ctl('put', `/plait/networks/${network.id}`, JSON.stringify({ ...network, color: 'red' }));
  assert.is((await listNetworks(store))[0]?.color, 'red');
});

networks(
  'a network that was lost is written again as it was, once, also when a key of it is left',
  async () => {
    const network = await create({ name: 'app', subnets: ['10.10.0.0/24'] });
    const keys = etcd.keys('/plait/');
    for (const lost of ['/plait/', '/plait/networks/']) {
      etcd.ctl('del', '--prefix', lost);
      const written = await Promise.all([1, 2, 3].map(() => restoreNetwork(store, network)));
      assert.is(written.filter(Boolean).length, 1);
      assert.equal(etcd.keys('/plait/'), keys);
      assert.equal(await listNetworks(store), [network]);
    }
  },
);

networks('a lost network is not written over one that has its name, VNI or addresses by now', async () => {
  const lost = await create({ name: 'app', subnets: ['10.10.0.0/24'], vni: 77 });
  const heirs: [NetworkInput, string, RegExp][] = [
    [{ name: 'app' }, 'NAME_TAKEN', /name is taken/],
    [{ name: 'other', vni: 77 }, 'VNI_TAKEN', /take vni 77/],
    [{ name: 'other', subnets: ['10.10.0.0/16'] }, 'SUBNET_OVERLAP', /overlaps network other/],
  ];
  for (const [input, code, message] of heirs) {
    etcd.ctl('del', '--prefix', '/plait/');
    const heir = await create(input);
    await rejects(restoreNetwork(store, lost), code, message);
    assert.equal(await listNetworks(store), [heir]);
  }
});

networks.run();
