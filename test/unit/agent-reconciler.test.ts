import pino from 'pino';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Reconciler, type RowSink } from '../../src/agent/reconciler.js';
import { DesiredRows } from '../../src/model/desired.js';
import type { Endpoint, Network, Node } from '../../src/model/records.js';
import { ClusterView } from '../../src/model/view.js';

const log = pino({ level: 'silent' });
const createdAt = '2026-01-01T00:00:00Z';
const self = 's'.repeat(25);
const other = 'o'.repeat(25);

const network: Network = {
  id: 'n'.repeat(25),
  name: 'app',
  vni: 4096,
  subnets: [{ subnet: '10.10.0.0/24', gateway: '10.10.0.1' }],
  internal: false,
  mtu: 1450,
  labels: {},
  options: {},
  createdAt,
};

function node(id: string, vtep: string): Node {
  return { id, name: id.slice(0, 2), vtep, version: '0.1.0', labels: {}, createdAt };
}

function endpoint(number: number, owner: string): Endpoint {
  const byte = number.toString(16).padStart(2, '0');
  return {
    id: String(number).padStart(25, 'e'),
    network: network.id,
    node: owner,
    name: `web${number}`,
    aliases: [],
    mac: `02:00:00:00:00:${byte}`,
    addresses: [`10.10.0.${number}`],
    labels: {},
    createdAt,
  };
}

/** A node with one endpoint of its own on the network, and a sink that writes down what it is told. */
function setUp(sink: Partial<RowSink> = {}) {
  const told: string[] = [];
  const view = new ClusterView();
  view.putNode(node(self, '192.0.2.1'));
  view.putNode(node(other, '192.0.2.2'));
  view.putNetwork(network);
  view.putEndpoint(endpoint(2, self));
  const desired = new DesiredRows(view, { node: self, vtepIndex: () => 1 });
  const reconciler = new Reconciler({
    view,
    desired,
    log,
    fullCompareMs: 3_600_000,
    sink: {
      addVteps: async () => {},
      keepVteps: () => {},
      apply: ({ fdb, networks }) => {
        told.push(
          `apply fdb +${fdb.upserts.length} -${fdb.deletes.length} networks +${networks.upserts.length}`,
        );
      },
      replace: ({ fdb }) => {
        told.push(`replace fdb ${[...fdb].length}`);
        return 0;
      },
      mend: async () => {
        told.push('mend');
        return 0;
      },
      setLiveNetworks: async (ids) => void told.push(`live ${ids.size}`),
      ...sink,
    },
  });
  return { told, view, desired, reconciler };
}

const test = suite('reconciler');

test('nothing is written before the view is complete, then everything is compared once', async () => {
  const { told, desired, reconciler } = setUp();
  desired.attach(endpoint(2, self).id, { ifindex: 7, slot: 0 });
  await reconciler.flush();
  assert.equal(told, []);
  await reconciler.open();
  await reconciler.settled();
  assert.equal(told, ['replace fdb 1', 'mend', 'live 1']);
  await reconciler.close();
});

test('a changed endpoint costs its own rows, and gateways are left alone', async () => {
  const { told, view, desired, reconciler } = setUp();
  desired.attach(endpoint(2, self).id, { ifindex: 7, slot: 0 });
  await reconciler.open();
  await reconciler.settled();
  told.length = 0;
  view.putEndpoint(endpoint(3, other));
  await reconciler.flush();
  view.deleteEndpoint(endpoint(3, other).id);
  await reconciler.flush();
  await reconciler.settled();
  assert.equal(told, ['apply fdb +1 -0 networks +0', 'apply fdb +0 -1 networks +0']);
  await reconciler.close();
});

test('VTEPs are looked at when a node or a use of one came or went, and in a full compare', async () => {
  const looked: string[][] = [];
  const { view, desired, reconciler } = setUp({
    addVteps: async (addresses) => void looked.push([...addresses]),
  });
  const looksAfter = async (change: () => void): Promise<string[][]> => {
    looked.length = 0;
    change();
    await reconciler.flush();
    return [...looked];
  };
  const there = '192.0.2.2';
  desired.attach(endpoint(2, self).id, { ifindex: 7, slot: 0 });
  await reconciler.open();
  assert.equal(await looksAfter(() => view.putEndpoint(endpoint(3, other))), [[there]], 'first use');
  assert.equal(await looksAfter(() => view.putEndpoint(endpoint(4, other))), [], 'one more use');
  assert.equal(await looksAfter(() => view.deleteEndpoint(endpoint(3, other).id)), [], 'one use less');
  assert.equal(await looksAfter(() => view.deleteEndpoint(endpoint(4, other).id)), [[]], 'last use');
  assert.equal(await looksAfter(() => view.deleteNode(other)), [[]], 'a node that went');
  assert.equal(await looksAfter(() => void reconciler.compare()), [[]], 'a full compare');
  await reconciler.close();
});

test('changes that come together are one pass', async () => {
  const { told, view, desired, reconciler } = setUp();
  desired.attach(endpoint(2, self).id, { ifindex: 7, slot: 0 });
  await reconciler.open();
  told.length = 0;
  for (let number = 3; number < 103; number++) {
    view.putEndpoint(endpoint(number, other));
    reconciler.kick();
  }
  await reconciler.flush();
  assert.equal(
    told.filter((line) => line.startsWith('apply')),
    ['apply fdb +100 -0 networks +0'],
  );
  await reconciler.close();
});

test('a node that is silent keeps its rows', async () => {
  const { told, view, desired, reconciler } = setUp();
  view.putAlive(other);
  view.putEndpoint(endpoint(3, other));
  desired.attach(endpoint(2, self).id, { ifindex: 7, slot: 0 });
  await reconciler.open();
  told.length = 0;
  view.deleteAlive(other);
  await reconciler.flush();
  assert.equal(
    told.filter((line) => line.startsWith('apply')),
    ['apply fdb +0 -0 networks +0'],
  );
  await reconciler.close();
});

test('a pass that failed is told, and made good by a full compare', async () => {
  let isFull = true;
  const { told, view, desired, reconciler } = setUp({
    apply: () => {
      if (isFull) throw new Error('map is full');
    },
  });
  desired.attach(endpoint(2, self).id, { ifindex: 7, slot: 0 });
  await reconciler.open();
  told.length = 0;
  view.putEndpoint(endpoint(3, other));
  try {
    await reconciler.flush();
    assert.unreachable();
  } catch (error) {
    assert.match(String(error), 'map is full');
  }
  assert.match(reconciler.failure?.message ?? '', 'map is full');
  isFull = false;
  await reconciler.flush();
  assert.equal(
    told.filter((line) => line.startsWith('replace')),
    ['replace fdb 2'],
  );
  assert.is(reconciler.failure, undefined);
  await reconciler.close();
});

test('a gateway that fails does not hold up rows, and is tried again', async () => {
  let isBroken = true;
  const { told, view, desired, reconciler } = setUp({
    setLiveNetworks: async () => {
      if (isBroken) throw new Error('nft is not installed');
      told.push('live');
    },
  });
  desired.attach(endpoint(2, self).id, { ifindex: 7, slot: 0 });
  await reconciler.open();
  await reconciler.settled().then(
    () => assert.unreachable(),
    (error) => assert.match(String(error), 'nft'),
  );
  isBroken = false;
  view.putEndpoint(endpoint(3, other));
  await reconciler.flush();
  await reconciler.settled();
  assert.ok(told.includes('live'));
  await reconciler.close();
});

test('a closed reconciler writes nothing', async () => {
  const { told, desired, reconciler } = setUp();
  desired.attach(endpoint(2, self).id, { ifindex: 7, slot: 0 });
  await reconciler.close();
  await reconciler.open();
  assert.equal(told, []);
});

test.run();
