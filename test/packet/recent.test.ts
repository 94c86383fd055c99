// kernels: one

/*
 * Rows that the programs remember: a row that is taken out of a map behind the agent's back shows whether a frame asks
 * the map or the memory. Memories are per CPU, so everything here runs on one.
 */
import { u32, u64 } from 'libbpf-ts-bindings';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Generation } from '../../src/datapath/generation.js';
import { fdbKeyCodec, senderKeyCodec } from '../../src/datapath/types.gen.js';
import { pinToOneCpu } from '../programs/measure.js';
import { alice, bob, carol, nobody, node, PORT, peer, VNI } from './support/actors.js';
import { mac } from './support/bytes.js';
import { addr, type Run, TestDatapath } from './support/datapath.js';
import { eth, ipv4, Protocol, udp, vxlan } from './support/frames.js';

pinToOneCpu();

const test = suite('remembered rows');
let datapath: TestDatapath;
let generation: Generation;

test.before.each(async () => {
  datapath = await TestDatapath.load();
  generation = new Generation(datapath.map('generation'));
  generation.raise();
});
test.after.each(() => datapath.close());

const body = udp(7, 7, Buffer.alloc(26));
const inner = (from: typeof carol | typeof alice, to: { mac: string; ip4: string }): Buffer =>
  eth(to.mac, from.mac, 'ipv4', ipv4({ from: from.ip4, to: to.ip4, protocol: Protocol.udp }, body));
const send = (): Run => datapath.run('from_container', inner(alice, carol));
const receive = (): Run => {
  const outer = udp(50_000, PORT, vxlan(VNI, inner(carol, bob)));
  const packet = ipv4({ from: peer.ip4, to: node.ip4, protocol: Protocol.udp }, outer);
  return datapath.run('from_underlay', eth(node.mac, peer.mac, 'ipv4', packet));
};

interface Case {
  name: string;
  map: string;
  key: Uint8Array;
  run: () => Run;
  /** Where the frame goes with the row, and without it. */
  found: Partial<Run>;
  missing: Partial<Run>;
}

const cases: readonly Case[] = [
  {
    name: 'an endpoint',
    map: 'endpoints',
    key: u32.encode(alice.ifindex),
    run: send,
    found: { verdict: 'redirect', drops: [], events: ['REMOTE_SENT'] },
    missing: { verdict: 'drop', drops: ['UNKNOWN_ENDPOINT'], events: [] },
  },
  {
    name: 'where a MAC is, for a frame that leaves',
    map: 'fdb',
    key: fdbKeyCodec.encode({ vni: VNI, mac: mac(carol.mac) }),
    run: send,
    found: { verdict: 'redirect', drops: [], events: ['REMOTE_SENT'] },
    missing: { verdict: 'drop', drops: ['NO_MEMBERS'], events: [] },
  },
  {
    name: 'where a MAC is, for a frame that arrives',
    map: 'fdb',
    key: fdbKeyCodec.encode({ vni: VNI, mac: mac(bob.mac) }),
    run: receive,
    found: { verdict: 'redirect', drops: [], events: ['REMOTE_RECEIVED'] },
    missing: { verdict: 'drop', drops: ['NO_MEMBERS'], events: ['REMOTE_RECEIVED'] },
  },
  {
    name: 'who may send into a network',
    map: 'senders',
    key: senderKeyCodec.encode({ vni: VNI, addr: addr(peer.ip4) }),
    run: receive,
    found: { verdict: 'redirect', drops: [], events: ['REMOTE_RECEIVED'] },
    missing: { verdict: 'drop', drops: ['UNLISTED_SENDER'], events: [] },
  },
];

const seen = ({ verdict, drops, events }: Run): Partial<Run> => ({ verdict, drops, events });

for (const { name, map, key, run, found, missing } of cases) {
  test(`${name}: remembered within a generation, and forgotten with it`, () => {
    assert.equal(seen(run()), found);
    datapath.map(map).delete(key);
    assert.equal(seen(run()), found, 'the row was not remembered');
    generation.raise();
    assert.equal(seen(run()), missing);
    assert.equal(seen(run()), missing, 'that there is none is not remembered');
  });

  test(`${name}: not remembered without a generation`, () => {
    datapath.map('generation').update(u32.encode(0), u64.encode(0n));
    assert.equal(seen(run()), found);
    datapath.map(map).delete(key);
    assert.equal(seen(run()), missing);
  });

  test(`${name}: a row that appears is found by the next frame`, () => {
    const row = datapath.map(map).lookup(key);
    assert.ok(row);
    datapath.map(map).delete(key);
    assert.equal(seen(run()), missing);
    datapath.map(map).update(key, row);
    assert.equal(seen(run()), found, 'without a new generation, for nothing was remembered');
  });

  test(`${name}: a write through the agent's tables is seen at once, also a write that fails`, () => {
    assert.equal(seen(run()), found);
    const written = generation.over(datapath.map(map));
    written.deleteBatch(key, 1);
    assert.equal(seen(run()), missing);
    const before = generation.number;
    assert.throws(() => written.updateBatch(key.subarray(1), Buffer.alloc(1), 1));
    assert.is(generation.number, before + 2n);
  });

  // The map may give the memory of a replaced row to the next one of the same write, while it is being copied.
  test(`${name}: not remembered while a write is under way`, () => {
    const target = datapath.map(map);
    const row = target.lookup(key);
    assert.ok(row);
    const during: Partial<Run>[] = [];
    const slow = {
      ...{ type: target.type, maxEntries: target.maxEntries },
      lookup: () => row,
      lookupAll: () => target.lookupAll(),
      deleteBatch: () => 0,
      updateBatch: () => {
        during.push(seen(run()));
        target.delete(key);
        during.push(seen(run()));
        target.update(key, row);
        return 1;
      },
    };
    generation.over(slow).updateBatch(key, row, 1);
    assert.equal(during, [found, missing]);
    assert.equal(seen(run()), found);
    target.delete(key);
    assert.equal(seen(run()), found, 'remembered again');
  });
}

test('rows of one place do not pass for each other', () => {
  // 512 places: among 4096 MACs, each place is claimed eight times.
  const fdb = datapath.map('fdb');
  const row = fdb.lookup(fdbKeyCodec.encode({ vni: VNI, mac: mac(carol.mac) }));
  assert.ok(row);
  const at = (i: number): string => `02:00:00:01:${hex(i >> 8)}:${hex(i & 255)}`;
  for (let i = 0; i < 4096; i += 2) fdb.update(fdbKeyCodec.encode({ vni: VNI, mac: mac(at(i)) }), row);
  for (let i = 0; i < 4096; i += 1) {
    const { events, drops } = datapath.run('from_container', inner(alice, { ...nobody, mac: at(i) }));
    assert.equal(i % 2 ? drops : events, [i % 2 ? 'NO_MEMBERS' : 'REMOTE_SENT'], at(i));
  }
});

test('a sender is remembered for its network and its address only', () => {
  assert.equal(receive().drops, []);
  const other = (vni: number, from: string): Run => {
    const packet = ipv4(
      { from, to: node.ip4, protocol: Protocol.udp },
      udp(50_000, PORT, vxlan(vni, inner(carol, bob))),
    );
    return datapath.run('from_underlay', eth(node.mac, peer.mac, 'ipv4', packet));
  };
  for (let last = 1; last < 255; last += 1) {
    const address = `192.0.2.${last}`;
    assert.equal(other(VNI, address).drops, address === peer.ip4 ? [] : ['UNLISTED_SENDER'], address);
    assert.equal(other(VNI + 1000 + last, peer.ip4).drops, ['UNKNOWN_VNI']);
  }
});

const hex = (n: number): string => n.toString(16).padStart(2, '0');

test.run();
