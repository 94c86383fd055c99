/* Which rows follow from the cluster's state, and that changes add up to the whole whatever happens in which order. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatAddr, formatMac } from '../../src/model/addresses.js';
import { EXTERNAL_NODE } from '../../src/model/records.js';
import { type RowChanges, TABLE_NAMES } from '../../src/model/rows.js';
import { randomOf } from './support/random.js';
import { app, asText, endpoint, inner, listed, n1, n2, n3, node, World } from './support/world.js';

const desired = suite('desired rows');

desired('a network without a container here costs nothing', () => {
  const world = new World();
  world.view.putEndpoint(endpoint('web', app, n2, 2));
  const changes = world.settle();
  for (const name of TABLE_NAMES) assert.equal(changes[name].upserts, [], name);
  assert.is(world.rows.vteps().size, 0);
  assert.is(world.rows.liveNetworks().size, 0);
});

desired('one container here and one elsewhere give these rows', () => {
  const world = new World();
  world.view.putEndpoint(endpoint('here', app, n1, 2));
  world.view.putEndpoint(endpoint('there', app, n2, 3));
  world.rows.attach('here', { ifindex: 11, slot: 5 });
  world.settle();
  const { fdb, neighbors, endpoints, networks, subnets, senders, flood } = listed(world.rows.all());
  assert.equal(fdb.map(([key, to]) => [key.vni, formatMac(key.mac), to.ifindex, to.slot]).sort(), [
    [4096, '02:00:00:00:00:02', 11, 5],
    [4096, '02:00:00:00:00:03', 0, 1],
  ]);
  assert.equal(neighbors.map(([key, to]) => [key.vni, formatAddr(key.addr), formatMac(to.mac)]).sort(), [
    [4096, '10.1.0.1', '02:50:4c:41:49:54'],
    [4096, '10.1.0.2', '02:00:00:00:00:02'],
    [4096, '10.1.0.3', '02:00:00:00:00:03'],
    [4096, 'fd00:1::1', '02:50:4c:41:49:54'],
    [4096, 'fd00:1::2', '02:00:00:00:00:02'],
    [4096, 'fd00:1::3', '02:00:00:00:00:03'],
    [4096, 'fe80::ff:fe00:2', '02:00:00:00:00:02'],
    [4096, 'fe80::ff:fe00:3', '02:00:00:00:00:03'],
  ]);
  const [[ifindex, row] = []] = endpoints;
  assert.is(endpoints.length, 1);
  assert.is(ifindex, 11);
  assert.equal(row && { ...row, mac: formatMac(row.mac) }, {
    vni: 4096,
    slot: 5,
    flags: 0,
    mtu: 1450,
    mac: '02:00:00:00:00:02',
    ip4: 0x0a010002,
    ip6: { w: [0xfd000001, 0, 0, 2] },
    linkLocal: { w: [0xfe800000, 0, 0x000000ff, 0xfe000002] },
  });
  const gateway4 = { w: [0, 0, 0xffff, 0x0a010001] };
  const gateway6 = { w: [0xfd000001, 0, 0, 1] };
  assert.equal(networks, [[4096, { flags: 0, mtu: 1450, gateway4, gateway6 }]]);
  assert.equal(subnets, [
    [{ prefixLen: 120, addr: { w: [0, 0, 0xffff, 0x0a010000] } }, { vni: 4096 }],
    [{ prefixLen: 64, addr: { w: [0xfd000001, 0, 0, 0] } }, { vni: 4096 }],
  ]);
  assert.equal(senders, [[{ vni: 4096, addr: { w: [0, 0, 0xffff, 0xc0000202] } }, { vtep: 1 }]]);
  assert.equal(flood, [
    [
      4096,
      [
        { ifindex: 11, slot: 5 },
        { ifindex: 0, slot: 1 },
      ],
    ],
  ]);
  assert.equal([...world.rows.vteps()], [['192.0.2.2', 1]]);
});

desired('an internal network has no gateway and no way for the host', () => {
  const world = new World();
  world.view.putEndpoint(endpoint('here', inner, n1, 1));
  world.rows.attach('here', { ifindex: 11, slot: 5 });
  world.settle();
  const { neighbors, networks, subnets, endpoints } = listed(world.rows.all());
  assert.is(neighbors.length, 2);
  assert.equal(networks[0]?.[1], {
    flags: 1,
    mtu: 1450,
    gateway4: { w: [0, 0, 0, 0] },
    gateway6: { w: [0, 0, 0, 0] },
  });
  assert.equal(subnets, []);
  assert.is(endpoints[0]?.[1].flags, 1);
});

desired('a changed endpoint costs its own rows, however many there are', () => {
  const world = new World();
  world.view.putEndpoint(endpoint('here', app, n1, 2));
  world.rows.attach('here', { ifindex: 11, slot: 5 });
  for (let host = 3; host < 250; host++) world.view.putEndpoint(endpoint(`e${host}`, app, n2, host));
  world.settle();
  world.view.putEndpoint(endpoint('new', app, n2, 250));
  const changes = world.settle();
  const count = (name: keyof RowChanges) => changes[name].upserts.length + changes[name].deletes.length;
  assert.equal(TABLE_NAMES.map(count), [1, 3, 0, 0, 0, 0, 0]);
  assert.ok(!world.settle().fdb.upserts.length, 'nothing is told twice');
});

desired('the first endpoint of a VTEP adds it to flood list and senders, the last one takes it away', () => {
  const world = new World();
  world.view.putEndpoint(endpoint('here', app, n1, 2));
  world.rows.attach('here', { ifindex: 11, slot: 5 });
  world.view.putEndpoint(endpoint('a', app, n3, 3));
  world.view.putEndpoint(endpoint('b', app, n3, 4));
  world.settle();
  world.view.deleteEndpoint('a');
  const between = world.settle();
  assert.equal([between.senders.deletes.length, between.flood.upserts.length], [0, 0]);
  world.view.deleteEndpoint('b');
  const after = world.settle();
  assert.equal([after.senders.deletes.length, after.flood.upserts.length], [1, 1]);
  assert.is(world.rows.vteps().size, 0);
  world.check();
});

desired('rows of a network go with its last container here', () => {
  const world = new World();
  world.view.putEndpoint(endpoint('here', app, n1, 2));
  world.view.putEndpoint(endpoint('there', app, n2, 3));
  world.rows.attach('here', { ifindex: 11, slot: 5 });
  world.settle();
  world.rows.detach('here');
  world.settle();
  for (const name of TABLE_NAMES) assert.is(world.maps[name]?.size, 0, name);
  world.check();
});

desired('a silent node keeps its rows, a removed one loses them, a moved one changes them', () => {
  const world = new World();
  world.view.putEndpoint(endpoint('here', app, n1, 2));
  world.view.putEndpoint(endpoint('there', app, n2, 3));
  world.rows.attach('here', { ifindex: 11, slot: 5 });
  world.view.putAlive('n2');
  world.settle();
  const before = asText(world.rows.all());
  world.view.deleteAlive('n2');
  world.settle();
  assert.equal(asText(world.rows.all()), before);
  world.view.putNode({ ...n2, vtep: '192.0.2.22' });
  world.settle();
  assert.equal([...world.rows.vteps().keys()], ['192.0.2.22']);
  world.check();
  world.view.deleteNode('n2');
  world.settle();
  assert.is(world.maps.fdb?.size, 1);
  assert.is(world.maps.senders?.size, 0);
  world.check();
});

for (const order of ['old first', 'new first'] as const) {
  desired(`an address and a mac that passed to another node belong to it: ${order}`, () => {
    const world = new World();
    world.view.putEndpoint(endpoint('here', app, n1, 2));
    world.rows.attach('here', { ifindex: 11, slot: 5 });
    world.view.putEndpoint(endpoint('old', app, n2, 3));
    world.settle();
    const put = () => world.view.putEndpoint(endpoint('new', app, n3, 3));
    const remove = () => world.view.deleteEndpoint('old');
    for (const step of order === 'old first' ? [remove, put] : [put, remove]) {
      step();
      world.settle();
    }
    const row = listed(world.rows.all()).fdb.find(([key]) => formatMac(key.mac) === '02:00:00:00:00:03');
    assert.is(row?.[1].slot, world.indexes.get('2001:db8::3'));
    world.check();
  });
}

desired('declared peers are at their vtep; one that claims to be this node is nowhere', () => {
  const world = new World();
  const external = node(EXTERNAL_NODE, '');
  world.view.putEndpoint(endpoint('here', app, n1, 2));
  world.rows.attach('here', { ifindex: 11, slot: 5 });
  world.view.putEndpoint(endpoint('peer', app, external, 3, { vtep: '198.51.100.7' }));
  world.view.putEndpoint(endpoint('liar', app, external, 4, { vtep: '192.0.2.1' }));
  world.view.putEndpoint(endpoint('ghost', app, n1, 5));
  world.settle();
  assert.equal(
    listed(world.rows.all())
      .fdb.map(([key]) => formatMac(key.mac))
      .sort(),
    ['02:00:00:00:00:02', '02:00:00:00:00:03'],
  );
  assert.equal([...world.rows.vteps().keys()], ['198.51.100.7']);
  world.view.putNode({ ...n1, vtep: '192.0.2.100' });
  world.settle();
  assert.is(listed(world.rows.all()).fdb.length, 3, 'its address became another one');
  world.check();
});

desired('an interface that comes again under another index has one row', () => {
  const world = new World();
  world.view.putEndpoint(endpoint('here', app, n1, 2));
  world.rows.attach('here', { ifindex: 11, slot: 5 });
  world.settle();
  world.rows.attach('here', { ifindex: 12, slot: 5 });
  world.settle();
  assert.equal(
    listed(world.rows.all()).endpoints.map(([ifindex]) => ifindex),
    [12],
  );
  world.check();
});

desired('an attachment waits for its record, and its record for the attachment', () => {
  const world = new World();
  world.rows.attach('here', { ifindex: 11, slot: 5 });
  world.settle();
  assert.is(world.rows.liveNetworks().size, 0);
  world.view.putEndpoint(endpoint('here', app, n1, 2));
  world.settle();
  assert.equal([...world.rows.liveNetworks()], ['app']);
  world.view.deleteNetwork('app');
  world.settle();
  for (const name of TABLE_NAMES) assert.is(world.maps[name]?.size, 0, name);
  world.view.putNetwork({ ...app, mtu: 1400 });
  world.settle();
  assert.is(listed(world.rows.all()).endpoints[0]?.[1].mtu, 1400);
  world.check();
});

desired('an endpoint outside its network, or at its gateway, has no rows and harms nobody', () => {
  for (const addresses of [['10.9.0.5'], ['10.1.0.1'], ['10.1.0.9', 'fd00:1::1']]) {
    const world = new World();
    world.view.putEndpoint(endpoint('here', app, n1, 2));
    world.rows.attach('here', { ifindex: 10, slot: 0 });
    world.settle();
    const before = listed(world.rows.all());
    world.view.putEndpoint(endpoint('evil', app, n2, 9, { addresses }));
    world.settle();
    assert.equal(listed(world.rows.all()), before);
    assert.match(world.rows.faults().join(), /endpoint evil .* left out: .*(gateway of|not in) network app/);
    world.view.deleteEndpoint('evil');
    world.settle();
    assert.equal(world.rows.faults(), []);
  }
});

desired('of two networks with one VNI the older one has rows, and the other when it is gone', () => {
  const late = '2026-11-22T15:00:00.000Z';
  const rival = { ...inner, id: 'rival', name: 'rival', vni: app.vni, createdAt: late };
  const world = new World();
  world.view.deleteNetwork('app');
  world.view.putNetwork(rival);
  world.view.putEndpoint({ ...endpoint('r', inner, n1, 3), network: 'rival' });
  world.rows.attach('r', { ifindex: 11, slot: 1 });
  world.settle();
  assert.equal([...world.rows.liveNetworks()], ['rival']);
  world.view.putNetwork(app);
  world.settle();
  assert.equal([...world.rows.liveNetworks()], []);
  assert.match(
    world.rows.faults().join(),
    /network rival carries nothing here: its VNI 4096 is that of network app/,
  );
  world.view.deleteNetwork('app');
  world.settle();
  assert.equal([...world.rows.liveNetworks()], ['rival']);
  assert.equal(world.rows.faults(), []);
  world.check();
});

desired('any sequence of events adds up to what a new start would compute', () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = randomOf(seed * 7919);
    const world = new World();
    for (let step = 0; step < 150; step++) {
      randomEvent(world, random, step);
      if (random(3) === 0) world.settle();
      if (random(20) === 0) {
        world.settle();
        world.check();
      }
    }
    world.settle();
    world.check();
  }
});

/** Addresses are held by one endpoint at a time, as in etcd; ids are never used again. */
function randomEvent(world: World, random: (below: number) => number, step: number): void {
  const all = [...world.view.endpoints.values()];
  const victim = all[random(Math.max(all.length, 1))];
  const network = random(3) === 0 ? inner : app;
  switch (random(8)) {
    case 0:
    case 1:
    case 2: {
      const host = 2 + random(12);
      const holder = all.find((each) => each.network === network.id && each.mac.endsWith(host.toString(16)));
      if (holder) world.view.deleteEndpoint(holder.id);
      const on = [n1, n2, n3][random(3)] ?? n1;
      world.view.putEndpoint(endpoint(`e${step}`, network, on, host));
      if (on === n1 && random(4) > 0) world.rows.attach(`e${step}`, { ifindex: 10 + step, slot: step });
      return;
    }
    case 3:
      if (victim) world.view.deleteEndpoint(victim.id);
      return;
    case 4:
      if (victim) world.rows.detach(victim.id);
      return;
    case 5:
      if (victim?.node === 'n1') world.rows.attach(victim.id, { ifindex: 1000 + step, slot: step });
      return;
    case 6:
      if (random(2) === 0) world.view.deleteNode('n3');
      else world.view.putNode({ ...n3, vtep: `2001:db8::${3 + random(3)}` });
      return;
    default:
      if (random(2) === 0) world.view.deleteNetwork(network.id);
      else world.view.putNetwork({ ...network, mtu: 1400 + random(3) });
  }
}

desired.run();
