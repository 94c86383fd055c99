// Tables, flood lists and VTEPs against what bpftool finds in the kernel. Expected bytes are written by hand.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Datapath } from '../../src/datapath/datapath.js';
import { parseIp, parseMac, toAddr } from '../../src/model/addresses.js';
import { patience } from '../../src/patience.js';
import { makeUnderlay, optionsIn } from './support/node.js';
import { enterOwnNamespace, json, Scratch, sh } from './support/own-namespace.js';

enterOwnNamespace(import.meta.url);

const test = suite('datapath: maps');
const scratch = new Scratch();
const options = optionsIn(scratch, { sizes: { senders: 8, flood: 64, neighbors: 20_000, fdb: 20_000 } });
let dp: Datapath;

test.before(async () => {
  makeUnderlay();
  dp = await Datapath.open(options);
});
test.after(() => {
  dp?.close();
  scratch.clean();
});

type RawRow = { key: string[]; value?: string[]; inner_map_id?: number };

/** Rows as "key → value" in plain hexadecimal. */
function kernelRows(map: string): string[] {
  const rows = json<RawRow[]>(sh(`bpftool -j map dump pinned ${options.bpf}/maps/${map}`));
  return rows.map(({ key, value = [] }) => `${hex(key)} ${hex(value)}`).sort();
}

function hex(bytes: string[]): string {
  return bytes.map((byte) => byte.replace('0x', '')).join('');
}

const mac = (n: number): Uint8Array => parseMac(`02:00:00:00:${hexByte(n >> 8)}:${hexByte(n & 255)}`);
const hexByte = (n: number): string => n.toString(16).padStart(2, '0');

test('a written row is in the kernel, byte for byte, padding zero', () => {
  dp.tables.fdb.replace([
    [
      { vni: 4096, mac: mac(1) },
      { ifindex: 0, slot: 7 },
    ],
  ]);
  assert.equal(kernelRows('fdb'), ['00100000' + '020000000001' + '0000' + ' ' + '00000000' + '07000000']);
  dp.tables.neighbors.replace([[{ vni: 4097, addr: toAddr(parseIp('10.10.0.2')) }, { mac: mac(2) }]]);
  assert.equal(kernelRows('neighbors'), [
    '01100000' + '00000000000000000000ffff0a0a0002' + ' ' + '020000000002' + '0000',
  ]);
  dp.tables.subnets.replace([[{ prefixLen: 120, addr: toAddr(parseIp('10.10.0.0')) }, { vni: 4096 }]]);
  assert.equal(kernelRows('subnets'), ['78000000' + '00000000000000000000ffff0a0a0000' + ' ' + '00100000']);
});

test('only differences are written', () => {
  const rows = [1, 2, 3].map(
    (n) =>
      [
        { vni: 4096, mac: mac(n) },
        { ifindex: 0, slot: n },
      ] as const,
  );
  dp.tables.fdb.replace([]);
  assert.equal(dp.tables.fdb.apply(rows), { written: 3, deleted: 0 });
  assert.equal(dp.tables.fdb.apply(rows), { written: 0, deleted: 0 });
  const changed = [
    { vni: 4096, mac: mac(2) },
    { ifindex: 9, slot: 0 },
  ] as const;
  assert.equal(dp.tables.fdb.replace([changed, ...rows.slice(0, 1)]), { written: 1, deleted: 1 });
  assert.is(kernelRows('fdb').length, 2);
});

test('a key that is both written and deleted is written; deleting what is not there is fine', () => {
  const key = { vni: 4096, mac: mac(1) };
  dp.tables.fdb.replace([]);
  assert.equal(dp.tables.fdb.apply([[key, { ifindex: 0, slot: 1 }]], [key]), { written: 1, deleted: 0 });
  assert.equal(dp.tables.fdb.apply([], [key, key]), { written: 0, deleted: 1 });
  assert.equal(dp.tables.fdb.apply([], [key]), { written: 0, deleted: 0 });
});

test('a full map names itself and its size, and the table knows what got in', () => {
  const rows = Array.from({ length: 9 }, (_, n) => {
    return [{ vni: n, addr: toAddr(parseIp('192.0.2.2')) }, { vtep: 1 }] as const;
  });
  try {
    dp.tables.senders.apply(rows);
    assert.unreachable('nine rows fit into eight');
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    assert.is(code, 'MAP_FULL');
    assert.is(message, 'write map senders: all 8 rows are in use');
  }
  assert.is(dp.tables.senders.size, kernelRows('senders').length);
  dp.tables.senders.replace([]);
  assert.equal(kernelRows('senders'), []);
});

test('ten thousand rows are written in well under 200 ms, and compared in less', () => {
  const rows = Array.from({ length: 10_000 }, (_, n) => {
    return [
      { vni: 4096, mac: mac(n) },
      { ifindex: 0, slot: 1 },
    ] as const;
  });
  dp.tables.fdb.replace([]);
  const started = performance.now();
  dp.tables.fdb.apply(rows);
  const written = performance.now() - started;
  assert.ok(written < patience(200), `${written} ms`);
  assert.is(kernelRows('fdb').length, 10_000);
  dp.tables.fdb.replace([]);
});

/** The kernel's id of the array that is the list of that network; 0 when there is none. */
function kernelListId(vni: number): number {
  const outer = json<RawRow[]>(sh(`bpftool -j map dump pinned ${options.bpf}/maps/flood`));
  const row = outer.find(({ key }) => Buffer.from(hex(key), 'hex').readUInt32LE() === vni);
  if (!row) return 0;
  return row.inner_map_id ?? Buffer.from(hex(row.value ?? []), 'hex').readUInt32LE();
}

/** Its places as the kernel has them, "ifindex slot", and "0 0" where nobody is. */
function kernelPlaces(vni: number): string[] {
  const id = kernelListId(vni);
  if (id === 0) return [];
  return json<RawRow[]>(sh(`bpftool -j map dump id ${id}`)).map(({ value = [] }) => {
    const bytes = Buffer.from(hex(value), 'hex');
    return `${bytes.readUInt32LE(0)} ${bytes.readUInt32LE(4)}`;
  });
}

const member = (ifindex: number, slot: number) => ({ ifindex, slot });
const asPlace = ({ ifindex, slot }: { ifindex: number; slot: number }): string => `${ifindex} ${slot}`;
const members = (count: number) => Array.from({ length: count }, (_, n) => member(n, count));

test('a flood list has exactly its members, also after it grew and shrank', () => {
  for (const [count, capacity] of [
    [1, 8],
    [5, 8],
    [300, 512],
    [64, 512],
    [2, 8],
  ] as const) {
    assert.is(dp.flood.apply([[4096, members(count)]]).written, 1);
    const places = kernelPlaces(4096);
    assert.is(places.length, capacity);
    const taken = places.filter((place) => place !== '0 0');
    assert.equal(taken.sort(), members(count).map(asPlace).sort());
    assert.is(dp.dump('flood', { vni: 4096 }).length, count, 'empty places are not shown');
  }
  assert.is(dp.flood.apply([[4096, [member(1, 2), member(0, 2)]]]).written, 0, 'order means nothing');
  assert.is(dp.flood.apply([[4096, []]]).deleted, 1);
  assert.equal(kernelPlaces(4096), []);
});

test('who joins or leaves a flood list leaves the array and the places of all others alone', () => {
  const [a, b, c, d] = [member(7, 1), member(0, 1), member(0, 2), member(9, 3)] as const;
  dp.flood.apply([[4097, [a, b, c]]]);
  const id = kernelListId(4097);
  assert.ok(id > 0);
  const before = kernelPlaces(4097);
  assert.is(dp.flood.apply([[4097, [a, c]]]).written, 1);
  const without = kernelPlaces(4097);
  assert.equal(
    without,
    before.map((place) => (place === '0 1' ? '0 0' : place)),
  );
  assert.is(dp.flood.apply([[4097, [d, c, a]]]).written, 1);
  assert.equal(
    kernelPlaces(4097),
    without.map((place, at) => (at === before.indexOf('0 1') ? '9 3' : place)),
    'the place that became free is used again',
  );
  assert.is(kernelListId(4097), id, 'it is the same array');
});

test('a place that the kernel lost, and one that it has twice, are found and mended', () => {
  const id = kernelListId(4097);
  const [first = ''] = kernelPlaces(4097);
  const bytes = first.split(' ').map((part) => `${Number(part)} 0 0 0`);
  sh(`bpftool map update id ${id} key 1 0 0 0 value 0 0 0 0 0 0 0 0`);
  sh(`bpftool map update id ${id} key 2 0 0 0 value ${bytes.join(' ')}`);
  const wanted = [[4097, [member(7, 1), member(0, 2), member(9, 3)]]] as const;
  assert.equal(
    dp.flood.verify(wanted).map(({ key, problem }) => `${key} ${problem}`),
    ['vni 4097 different'],
  );
  dp.flood.replace(wanted);
  assert.equal(
    kernelPlaces(4097)
      .filter((place) => place !== '0 0')
      .sort(),
    ['0 2', '7 1', '9 3'],
  );
  assert.equal(dp.flood.verify(wanted), []);
  dp.flood.replace([]);
});

test('a change of a flood list does not wait for the kernel', () => {
  const time = (action: (n: number) => void): number => {
    const times = Array.from({ length: 20 }, (_, n) => {
      const started = performance.now();
      action(n);
      return performance.now() - started;
    });
    return times.sort((a, b) => a - b)[10] ?? 0;
  };
  const swapped = time((n) => dp.flood.apply([[5000 + n, members(4)]]));
  const written = time((n) => dp.flood.apply([[5000, [...members(4), member(100, n)]]]));
  console.log(`flood list: new array ${swapped.toFixed(2)} ms, in place ${written.toFixed(3)} ms (median)`);
  // One processor has no grace period to wait for, so a new array may cost nothing more there.
  assert.ok(
    written < Math.max(patience(0.5), swapped / 4),
    `${written} ms in place, ${swapped} ms for a new array`,
  );
  dp.flood.replace([]);
});

test('more networks than the map of flood lists holds is one clear error', () => {
  const lists = Array.from({ length: 65 }, (_, n) => [6000 + n, members(2)] as const);
  assert.throws(() => dp.flood.replace(lists), /^write map flood: all 64 rows are in use$/m);
  assert.is(dp.flood.size, 64, 'the mirror knows what got in');
  dp.flood.replace([]);
});

test('VTEPs keep their indexes through a restart; a released index is used last', async () => {
  const first = dp.vteps.index('192.0.2.2');
  const second = dp.vteps.index('203.0.113.9');
  await dp.vteps.routeNew();
  const [row] = dp.dump('vteps', { ip: '192.0.2.2' });
  assert.equal([row?.route, row?.ifname, row?.nextHop, row?.mtu], [true, 'u1', '192.0.2.2', 1450]);
  assert.is(dp.dump('vteps', { ip: '203.0.113.9' })[0]?.route, false, 'it has no route');

  dp.close();
  dp = await Datapath.open(options);
  assert.is(dp.adopted, true);
  assert.is(dp.vteps.index('203.0.113.9'), second);
  dp.vteps.release('192.0.2.2');
  assert.is.not(dp.vteps.index('192.0.2.3'), first);
});

test('routes to VTEPs follow the routing table', async () => {
  const index = dp.vteps.index('203.0.113.9');
  sh('ip route add 203.0.113.0/24 via 192.0.2.254 mtu 1400');
  assert.equal(await dp.vteps.refresh(), []);
  const value =
    kernelRows('vteps')
      .find((row) => row.startsWith(`${hexByte(index)}000000 `))
      ?.slice(9) ?? '';
  assert.is(Buffer.from(value, 'hex').readUInt32LE(0), 1, 'VTEP_VALID');
  assert.is(value.slice(96), '00000000000000000000ffffc00002fe', 'the next hop');
  sh('ip route delete 203.0.113.0/24');
  assert.equal(await dp.vteps.refresh(), ['203.0.113.9']);
});

test('rows, lists and VTEPs are all there for the next agent', async () => {
  dp.tables.fdb.replace([
    [
      { vni: 4096, mac: mac(1) },
      { ifindex: 0, slot: 7 },
    ],
  ]);
  dp.flood.apply([[4096, [{ ifindex: 0, slot: 7 }]]]);
  dp.close();
  dp = await Datapath.open(options);
  assert.equal(
    [...dp.tables.fdb.entries()],
    [
      [
        { vni: 4096, mac: mac(1) },
        { ifindex: 0, slot: 7 },
      ],
    ],
  );
  assert.equal(dp.flood.get(4096), [{ ifindex: 0, slot: 7 }]);
});

test('a dump is filtered by VNI, MAC and address; a filter that cannot match is refused', () => {
  const row = (vni: number, n: number) =>
    [
      { vni, mac: mac(n) },
      { ifindex: 0, slot: 1 },
    ] as const;
  dp.tables.fdb.replace([row(4096, 1), row(4097, 1), row(4097, 2)]);
  assert.is(dp.dump('fdb').length, 3);
  assert.is(dp.dump('fdb', { vni: 4097 }).length, 2);
  assert.equal(
    dp.dump('fdb', { vni: 4097, mac: '02:00:00:00:00:02' }).map(({ vni, mac }) => `${vni} ${mac}`),
    ['4097 02:00:00:00:00:02'],
  );
  assert.throws(() => dp.dump('drops', { vni: 4096 }), /filter map drops: its rows have no VNI/);
  assert.throws(() => dp.dump('nosuch'), /find map nosuch: no such map/);
  assert.throws(() => dp.dump('drop_events'), /dump map drop_events: its contents are not rows/);
});

test.run();
