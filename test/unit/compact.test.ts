/* What keeps an agent small: endpoints as text, rows that are made when they are asked for. Each against a plain model. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatAddr, formatMac, linkLocalAddr, parseMac } from '../../src/model/addresses.js';
import { EndpointRecords } from '../../src/model/endpointRecords.js';
import { Index, ScopedIndex } from '../../src/model/indexes.js';
import { type Place, Reach, type ReachChanges } from '../../src/model/reach.js';
import type { Endpoint } from '../../src/model/records.js';
import { randomOf } from './support/random.js';
import { app, endpoint, n2 } from './support/world.js';

const SEEDS = Array.from({ length: 30 }, (_, at) => (at + 1) * 7919);

const compact = suite('compact structures');

compact('an index is a map of ordered sets', () => {
  for (const seed of SEEDS) {
    const random = randomOf(seed);
    const index = new Index();
    const model = new Map<string, string[]>();
    for (let step = 0; step < 300; step++) {
      const [key, id] = [`k${random(4)}`, `i${random(5)}`];
      const held = model.get(key) ?? [];
      if (random(2) === 0) {
        index.add(key, id);
        if (!held.includes(id)) model.set(key, [...held, id]);
      } else {
        index.delete(key, id);
        model.set(
          key,
          held.filter((other) => other !== id),
        );
      }
      const now = model.get(key) ?? [];
      assert.equal([...index.get(key)], now, `seed ${seed}`);
      assert.is(index.last(key), now.at(-1), `seed ${seed}`);
      const keys = [...model].filter(([, ids]) => ids.length > 0).map(([each]) => each);
      assert.equal([...index.keys()].sort(), keys.sort(), `seed ${seed}`);
    }
  }
});

compact('scopes of an index know nothing of each other, and are gone with their last key', () => {
  const index = new ScopedIndex();
  index.add('app', 'web', '1');
  index.add('app', 'web', '2');
  index.add('db', 'web', '3');
  assert.equal([...index.get('app', 'web')], ['1', '2']);
  assert.is(index.last('app', 'web'), '2');
  index.delete('app', 'web', '1');
  index.delete('app', 'web', '2');
  index.delete('app', 'web', '3');
  assert.equal([...index.keys('app')], []);
  assert.is(index.last('app', 'web'), undefined);
  assert.equal([...index.keys('db')], ['web']);
});

const plain = endpoint('web', app, n2, 2);
const external = { ...plain, node: 'external', vtep: '192.0.2.9' };
const newer = { ...plain, fromNewerVersion: { nested: [1, null, { deep: true }] }, empty: {}, nothing: null };
for (const [what, record] of [
  ['a plain one', plain],
  ['a declared one', external],
  ['one with aliases', { ...plain, aliases: ['www', 'w3'] }],
  ['one with labels and without aliases', { ...plain, labels: { größe: '大', '"': '\\' } }],
  ['one with fields of a newer version', newer],
  [
    'a declared one with all of it',
    { ...external, ...newer, aliases: ['a'], labels: { a: '' }, vtep: '::1' },
  ],
] as [string, Endpoint][]) {
  compact(`a record comes back as it was put: ${what}`, () => {
    const records = new EndpointRecords();
    assert.ok(records.set(record));
    assert.equal(records.get(record.id), record);
    assert.equal([...records.values()], [record]);
    assert.not.ok(records.set(structuredClone(record)), 'the same again is no change');
    for (const change of [
      { name: 'other' },
      { labels: { b: 'c' } },
      { more: 1 },
      { addresses: ['10.1.0.9'] },
    ]) {
      assert.ok(records.set({ ...record, ...change }), JSON.stringify(change));
      assert.equal(records.get(record.id), { ...record, ...change });
    }
    assert.ok(records.delete(record.id));
    assert.not.ok(records.delete(record.id));
    assert.is(records.size, 0);
  });
}

/** Rows as text, key → value. */
type Rows = Map<string, string>;

interface Claimed {
  readonly owner: string;
  readonly place: Place;
}

/** What the rows are by definition: all claims in their order, a later one over an earlier one. */
function rowsOf(claims: readonly Claimed[]): { fdb: Rows; neighbors: Rows } {
  const fdb: Rows = new Map();
  const neighbors: Rows = new Map();
  for (const { vni, mac, addresses, ifindex, slot } of claims.map(({ place }) => place)) {
    fdb.set(`${vni} ${mac}`, `${ifindex} ${slot}`);
    neighbors.set(`${vni} ${formatAddr(linkLocalAddr(parseMac(mac)))}`, mac);
    for (const address of addresses) neighbors.set(`${vni} ${address}`, mac);
  }
  return { fdb, neighbors };
}

function follow(fdb: Rows, neighbors: Rows, changes: ReachChanges): void {
  const macKey = ({ vni, mac }: { vni: number; mac: Uint8Array }) => `${vni} ${formatMac(mac)}`;
  const addrKey = ({ vni, addr }: { vni: number; addr: { w: number[] } }) => `${vni} ${formatAddr(addr)}`;
  for (const [key, to] of changes.fdb.upserts) fdb.set(macKey(key), `${to.ifindex} ${to.slot}`);
  for (const key of changes.fdb.deletes) fdb.delete(macKey(key));
  for (const [key, to] of changes.neighbors.upserts) neighbors.set(addrKey(key), formatMac(to.mac));
  for (const key of changes.neighbors.deletes) neighbors.delete(addrKey(key));
}

const sorted = (rows: Rows) => [...rows].sort(([a], [b]) => (a < b ? -1 : 1));

compact('rows are those of the latest claims, in the changes and in the whole', () => {
  for (const seed of SEEDS) {
    const random = randomOf(seed);
    const reach = new Reach();
    let claims: Claimed[] = [];
    const [fdb, neighbors] = [new Map(), new Map()];
    for (let step = 0; step < 200; step++) {
      const owner = `e${random(6)}`;
      const held = claims.find((claim) => claim.owner === owner)?.place;
      assert.equal(reach.release(owner), held, `seed ${seed}: what was held`);
      claims = claims.filter((claim) => claim.owner !== owner);
      if (random(3) > 0) {
        const place = randomPlace(random);
        reach.claim(owner, place);
        claims.push({ owner, place });
      }
      if (random(3) === 0) follow(fdb, neighbors, reach.takeChanges());
    }
    follow(fdb, neighbors, reach.takeChanges());
    const expected = rowsOf(claims);
    assert.equal(sorted(fdb), sorted(expected.fdb), `seed ${seed}: fdb by changes`);
    assert.equal(sorted(neighbors), sorted(expected.neighbors), `seed ${seed}: neighbors by changes`);
    const whole = { fdb: new Map(), neighbors: new Map() };
    follow(whole.fdb, whole.neighbors, {
      fdb: { upserts: [...reach.fdb()], deletes: [] },
      neighbors: { upserts: [...reach.neighbors()], deletes: [] },
    });
    assert.equal(sorted(whole.fdb), sorted(expected.fdb), `seed ${seed}: all of fdb`);
    assert.equal(sorted(whole.neighbors), sorted(expected.neighbors), `seed ${seed}: all neighbors`);
  }
});

/** Few MACs and addresses, so that many claims meet. */
function randomPlace(random: (below: number) => number): Place {
  const addresses = [`10.0.0.${random(4)}`, `fd00::${1 + random(4)}`].slice(0, 1 + random(2));
  const mac = `02:00:00:00:00:0${random(4)}`;
  return { vni: 4096 + random(2), mac, addresses, ifindex: random(2) * 7, slot: random(9) };
}

compact('a gateway answers until an endpoint claims its address, and again afterwards', () => {
  const reach = new Reach();
  const release = reach.claimGateways('app', 4096, ['10.0.0.1', 'fd00::1']);
  const mac = () => [...reach.neighbors()].map(([, to]) => formatMac(to.mac));
  assert.equal(mac(), ['02:50:4c:41:49:54', '02:50:4c:41:49:54']);
  const place = { vni: 4096, mac: '02:00:00:00:00:01', addresses: ['10.0.0.1'], ifindex: 3, slot: 0 };
  reach.claim('web', place);
  assert.equal(mac().sort(), ['02:00:00:00:00:01', '02:00:00:00:00:01', '02:50:4c:41:49:54']);
  reach.release('web');
  assert.equal(mac(), ['02:50:4c:41:49:54', '02:50:4c:41:49:54']);
  release();
  assert.equal(mac(), []);
  assert.is(reach.takeChanges().neighbors.deletes.length, 3);
});

compact.run();
