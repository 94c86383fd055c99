/* Following a prefix through puts, deletes, rubbish, compaction, restarts and freezes of etcd. */
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Node, randomId } from '../../src/model/records.js';
import { ClusterView } from '../../src/model/view.js';
import { type Follower, follow } from '../../src/store/follow.js';
import { Store } from '../../src/store/store.js';
import { followAlive, followNodes } from '../../src/store/watch.js';
import { TestEtcd, until } from './etcd.js';

const following = suite('store: following');
let etcd: TestEtcd;
let store: Store;

following.before(async () => {
  etcd = await TestEtcd.start();
  store = new Store({ endpoints: [etcd.url], timeoutMs: 1000 });
});
following.before.each(() => void etcd.ctl('del', '--prefix', ''));
following.after(async () => {
  store.close();
  await etcd.destroy();
});

/** What a follower was told so far. */
class Told {
  readonly now = new Map<string, string>();
  readonly errors: string[] = [];
  lists = 0;
  puts = 0;
  readonly follower: Follower;

  constructor(from = store) {
    this.follower = follow(from, '/t/', {
      onList: (entries) => {
        this.lists += 1;
        this.now.clear();
        for (const { key, value } of entries) this.now.set(key, value);
      },
      onPut: ({ key, value }) => {
        this.puts += 1;
        this.now.set(key, value);
      },
      onDelete: (key) => void this.now.delete(key),
      onError: (error) => void this.errors.push(error.message),
    });
  }

  /** What etcdctl sees. */
  isRight(): boolean {
    const truth = JSON.parse(etcd.ctl('get', '--prefix', '/t/', '--write-out', 'json')) as {
      kvs?: { key: string; value: string }[];
    };
    const text = (base64: string): string => Buffer.from(base64, 'base64').toString();
    const wanted = (truth.kvs ?? []).map(({ key, value }) => `${text(key)}=${text(value)}`);
    return (
      [...this.now]
        .map(([key, value]) => `${key}=${value}`)
        .sort()
        .join() === wanted.sort().join()
    );
  }
}

following('what is there is listed, what comes and goes is told', async () => {
  etcd.ctl('put', '/t/a', '1');
  etcd.ctl('put', '/elsewhere', '1');
  const told = new Told();
  await told.follower.synced;
  assert.equal([...told.now], [['/t/a', '1']]);
  etcd.ctl('put', '/t/b', '2');
  etcd.ctl('del', '/t/a');
  await until('both are told', () => told.now.has('/t/b') && !told.now.has('/t/a'));
  assert.is(told.lists, 1);
  await told.follower.close();
  etcd.ctl('put', '/t/c', '3');
  await sleep(100);
  assert.not(told.now.has('/t/c'), 'nothing is told after closing');
});

following('a list of many pages is of one revision', async () => {
  for (let i = 0; i < 25; i++) await putMany(i * 100, 100);
  const told = new Told();
  await told.follower.synced;
  assert.is(told.now.size, 2500);
  assert.ok(told.isRight());
  await told.follower.close();
});

async function putMany(from: number, count: number): Promise<void> {
  const success = Array.from({ length: count }, (_, i) => ({
    request_put: { key: Buffer.from(`/t/${String(from + i).padStart(6, '0')}`), value: Buffer.from('x') },
  }));
  await store.txn([], success);
}

following('nothing written between the list and the watch, or while catching up, is lost', async () => {
  let stop = false;
  const writing = (async () => {
    for (let i = 0; !stop; i++) await putMany((i * 37) % 1500, 50);
  })();
  const told = Array.from({ length: 5 }, () => new Told());
  await Promise.all(told.map((each) => each.follower.synced));
  await sleep(300);
  stop = true;
  await writing;
  await until('all followers are right', () => told.every((each) => each.isRight()));
  assert.ok(told.every((each) => each.lists === 1 && each.puts > 0));
  for (const each of told) await each.follower.close();
});

following('a killed and restarted etcd is followed again, changes in between included', async () => {
  etcd.ctl('put', '/t/a', '1');
  etcd.ctl('put', '/t/gone', '1');
  const told = new Told();
  await told.follower.synced;
  await etcd.stop('SIGKILL');
  await until('it is told', () => told.errors.length > 0);
  assert.match(told.errors.join(), /etcd at http/);
  assert.is(told.now.size, 2, 'what is known stays known');
  await etcd.start();
  etcd.ctl('del', '/t/gone');
  etcd.ctl('put', '/t/b', '2');
  await until('it is right', () => told.isRight());
  etcd.ctl('put', '/t/c', '3');
  await until('it is still told', () => told.now.has('/t/c'));
  await told.follower.close();
});

following('an etcd that is down at the start is waited for', async () => {
  await etcd.stop();
  const told = new Told();
  await until('it is told', () => told.errors.length > 1);
  await etcd.start();
  await told.follower.synced;
  assert.is(told.lists, 1);
  await told.follower.close();
});

following('a history that was compacted away is listed instead', async () => {
  etcd.ctl('put', '/t/a', '1');
  const impeded = new Store({ endpoints: [etcd.url] });
  const list = impeded.list.bind(impeded);
  let compactions = 0;
  // Between a list and its watch, somebody writes and compacts: what a slow follower meets.
  impeded.list = async (prefix) => {
    const listing = await list(prefix);
    if (compactions++ > 0) return listing;
    etcd.ctl('put', '/t/b', '2');
    etcd.ctl('put', '/t/c', '3');
    const { header } = JSON.parse(etcd.ctl('get', 'x', '--write-out', 'json')) as {
      header: { revision: number };
    };
    etcd.ctl('compact', String(header.revision));
    return listing;
  };
  const told = new Told(impeded);
  await until('it is right', () => told.isRight());
  assert.match(told.errors.join(), /compacted up to revision/);
  assert.is(told.lists, 2);
  await told.follower.close();
  impeded.close();
});

following('a listener that throws is told everything again', async () => {
  let lists = 0;
  let thrown = 0;
  const follower = follow(store, '/t/', {
    onList: () => void lists++,
    onPut: () => {
      if (thrown++ === 0) throw new Error('a bug');
    },
    onDelete: () => undefined,
  });
  await follower.synced;
  etcd.ctl('put', '/t/a', '1');
  await until('it is listed again', () => lists === 2);
  etcd.ctl('put', '/t/a', '2');
  await until('it is watched again', () => thrown === 2);
  await follower.close();
});

following('closing before etcd ever answered resolves synced', async () => {
  await etcd.stop();
  const told = new Told();
  await told.follower.close();
  await told.follower.synced;
  await etcd.start();
});

following('records that cannot be read are told and skipped; what was known of them stays', async () => {
  const view = new ClusterView();
  const bad: string[] = [];
  const nodes = followNodes(store, {
    onList: (records, unreadable) => view.replaceNodes(records, unreadable),
    onPut: (record) => view.putNode(record),
    onDelete: (id) => view.deleteNode(id),
    onBad: (error) => void bad.push(error.message),
  });
  const alive = followAlive(store, {
    onList: (ids) => view.replaceAlive(ids),
    onPut: (id) => view.putAlive(id),
    onDelete: (id) => view.deleteAlive(id),
    onBad: (error) => void bad.push(error.message),
  });
  const node: Node = {
    id: randomId(),
    name: 'n1',
    vtep: '192.0.2.1',
    version: '0.1.0',
    labels: {},
    createdAt: new Date().toISOString(),
    later: { wanted: true },
  };
  const key = `/plait/nodes/${node.id}`;
  etcd.ctl('put', key, JSON.stringify(node));
  etcd.ctl('put', `/plait/alive/${node.id}`, '');
  await until('the node is there', () => view.nodes.has(node.id) && view.alive.has(node.id));
  assert.equal(view.nodes.get(node.id), node, 'unknown fields are kept');
  etcd.ctl('put', key, '{');
  etcd.ctl('put', '/plait/nodes/x', JSON.stringify(node));
  etcd.ctl('put', key, JSON.stringify({ ...node, vtep: 'nowhere' }));
  await until('all three are told', () => bad.length === 3);
  assert.match(bad[0] ?? '', new RegExp(`read ${key}: not JSON`));
  assert.match(bad[1] ?? '', /read \/plait\/nodes\/x: is the record of/);
  assert.match(bad[2] ?? '', /vtep: /);
  assert.equal(view.nodes.get(node.id), node);
  await etcd.stop();
  await etcd.start();
  await until('they are listed again', () => bad.length === 5);
  assert.equal([...view.nodes.values()], [node]);
  etcd.ctl('del', key);
  await until('the node is gone', () => view.nodes.size === 0);
  await Promise.all([nodes.close(), alive.close()]);
});

following.run();
