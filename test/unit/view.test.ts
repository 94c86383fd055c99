/* The view's indexes, what becomes dirty, and how records are referred to. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Endpoint, type Network, type Node, randomId } from '../../src/model/records.js';
import { findExact, resolveRef } from '../../src/model/refs.js';
import { ClusterView, type Dirty } from '../../src/model/view.js';

const views = suite('cluster view');
const createdAt = '2026-11-22T14:00:00.000Z';
const [app, db] = [randomId(), randomId()];

function endpoint(name: string, address: string, more: Partial<Endpoint> = {}): Endpoint {
  const mac = '02:00:00:00:00:01';
  const own = { id: randomId(), network: app, node: 'n1', name, aliases: [], mac, addresses: [address] };
  return { ...own, labels: {}, createdAt, ...more };
}

function network(name: string, id = randomId()): Network {
  const subnets = [{ subnet: '10.0.0.0/24', gateway: '10.0.0.1' }];
  return { id, name, vni: 4096, subnets, internal: false, mtu: 1450, labels: {}, options: {}, createdAt };
}

function node(name: string): Node {
  return { id: randomId(), name, vtep: '192.0.2.1', version: '1', labels: {}, createdAt };
}

const dirt = (dirty: Dirty) => [...dirty.nodes, ...dirty.alive, ...dirty.networks, ...dirty.endpoints];
const names = (endpoints: Endpoint[]) => endpoints.map((each) => each.name).sort();

views('endpoints are found by network, node, name, alias and address', () => {
  const view = new ClusterView();
  const web1 = endpoint('Web', '10.0.0.2', { aliases: ['www', 'WEB'] });
  const web2 = endpoint('web', '10.0.0.3', { node: 'n2' });
  const other = endpoint('web', '10.0.0.2', { network: db });
  for (const each of [web1, web2, other]) view.putEndpoint(each);
  assert.equal(view.endpointsOfNetwork(app), [web1, web2]);
  assert.equal(view.endpointsOfNode('n1'), [web1, other]);
  assert.equal(view.endpointsNamed(app, 'wEb'), [web1, web2]);
  assert.equal(view.endpointsNamed(app, 'www'), [web1]);
  assert.equal(view.endpointsNamed(app, 'nobody'), []);
  assert.equal(view.endpointAt(app, '10.0.0.2'), web1);
  assert.equal(view.endpointAt(db, '10.0.0.2'), other);
  view.deleteEndpoint(web1.id);
  assert.equal(view.endpointsNamed(app, 'web'), [web2]);
  assert.is(view.endpointAt(app, '10.0.0.2'), undefined);
});

views('a changed endpoint is found by what it is now, and only so', () => {
  const view = new ClusterView();
  const before = endpoint('old', '10.0.0.2', { aliases: ['a'] });
  view.putEndpoint(before);
  view.putEndpoint({ ...before, name: 'new', aliases: [], addresses: ['10.0.0.3'], node: 'n2' });
  assert.equal(view.endpointsNamed(app, 'old'), []);
  assert.equal(view.endpointsNamed(app, 'a'), []);
  assert.equal(names(view.endpointsNamed(app, 'new')), ['new']);
  assert.is(view.endpointAt(app, '10.0.0.2'), undefined);
  assert.equal(view.endpointsOfNode('n1'), []);
  assert.is(view.endpointsOfNetwork(app).length, 1);
});

views('an address that passed on belongs to its new holder, whatever the order of the news', () => {
  const view = new ClusterView();
  const [first, second] = [endpoint('first', '10.0.0.2'), endpoint('second', '10.0.0.2')];
  view.putEndpoint(first);
  view.putEndpoint(second);
  assert.equal(view.endpointAt(app, '10.0.0.2'), second);
  view.deleteEndpoint(first.id);
  assert.equal(view.endpointAt(app, '10.0.0.2'), second);
});

views('only what differs becomes dirty, once', () => {
  const view = new ClusterView();
  const [n1, web, net] = [node('n1'), endpoint('web', '10.0.0.2'), network('app')];
  view.putNode(n1);
  view.putEndpoint(web);
  view.putNetwork(net);
  view.putAlive(n1.id);
  assert.equal(dirt(view.takeDirty()).sort(), [n1.id, n1.id, net.id, web.id].sort());
  view.putNode({ ...n1 });
  view.putEndpoint({ ...web });
  view.putNetwork({ ...net });
  view.putAlive(n1.id);
  view.deleteNode('nobody');
  assert.equal(dirt(view.takeDirty()), []);
  view.putEndpoint({ ...web, name: 'x' });
  assert.equal(dirt(view.takeDirty()), [web.id]);
});

views('a list replaces its scope and touches only what differs', () => {
  const view = new ClusterView();
  const [same, changed, gone, other] = ['same', 'changed', 'gone', 'other'].map((name, i) =>
    endpoint(name, `10.0.0.${i + 2}`, name === 'other' ? { network: db } : {}),
  ) as [Endpoint, Endpoint, Endpoint, Endpoint];
  view.replaceEndpoints(app, [same, changed, gone]);
  view.replaceEndpoints(db, [other]);
  view.takeDirty();
  const fresh = endpoint('fresh', '10.0.0.9');
  view.replaceEndpoints(app, [{ ...same }, { ...changed, aliases: ['x'] }, fresh]);
  assert.equal(names(view.endpointsOfNetwork(app)), ['changed', 'fresh', 'same']);
  assert.equal(view.endpointsOfNetwork(db), [other]);
  assert.equal(dirt(view.takeDirty()).sort(), [changed.id, fresh.id, gone.id].sort());
});

views('records that exist but could not be read stay as they were known', () => {
  const view = new ClusterView();
  const [n1, n2] = [node('n1'), node('n2')];
  view.replaceNodes([n1, n2]);
  view.replaceNodes([], new Set([n2.id]));
  assert.equal([...view.nodes.values()], [n2]);
});

views('a node that is silent is no longer alive, and that is all', () => {
  const view = new ClusterView();
  const n1 = node('n1');
  view.putNode(n1);
  view.replaceAlive([n1.id]);
  view.takeDirty();
  view.replaceAlive([]);
  assert.ok(view.nodes.has(n1.id));
  const dirty = view.takeDirty();
  assert.equal([[...dirty.alive], [...dirty.nodes]], [[n1.id], []]);
});

const records = [
  { id: 'aaa111'.padEnd(25, '0'), name: 'web' },
  { id: 'aaa222'.padEnd(25, '0'), name: 'db' },
  { id: 'bbb333'.padEnd(25, '0'), name: 'aaa' },
  { id: 'ccc444'.padEnd(25, '0'), name: 'twin' },
  { id: 'ccc555'.padEnd(25, '0'), name: 'twin' },
  { id: 'ddd666'.padEnd(25, '0'), name: 'aaa111'.padEnd(25, '0') },
];
for (const [ref, found] of [
  ['web', 0],
  ['aaa1', 0],
  ['bbb333'.padEnd(25, '0'), 2],
  ['aaa', 2],
  ['aaa111'.padEnd(25, '0'), 0],
  ['d', 5],
] as const) {
  views(`the reference ${ref} means record ${found}`, () => {
    assert.is(resolveRef(records, ref, 'network'), records[found]);
  });
}

for (const [ref, found] of [
  ['web', 0],
  ['aaa111'.padEnd(25, '0'), 0],
  ['aaa', 2],
  ['aaa1', undefined],
  ['', undefined],
] as const) {
  views(`exactly ${JSON.stringify(ref)} is record ${found ?? 'none'}`, () => {
    assert.is(findExact(records, ref, 'network'), found === undefined ? undefined : records[found]);
  });
}

for (const [ref, message] of [
  ['', /no such network/],
  ['zzz', /find network zzz: no such network/],
  ['we', /no such network/],
  ['ccc', /find network ccc: matches 2: ccc444000000 \(twin\), ccc555000000 \(twin\)/],
  ['twin', /matches 2/],
] as const) {
  views(`the reference ${JSON.stringify(ref)} means nothing`, () => {
    assert.throws(() => resolveRef(records, ref, 'network'), message);
  });
}

views.run();
