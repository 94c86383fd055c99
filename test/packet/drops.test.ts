/* What a drop leaves behind for people: a counter always, a sample while the budget lasts. Also: how big programs are. */
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { ringBuffer } from 'libbpf-ts-bindings';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type DropEvent, DropReason, dropEventCodec, Hook } from '../../src/datapath/types.gen.js';
import { patience } from '../../src/patience.js';
import { alice, bob, node, PORT, peer, VNI } from './support/actors.js';
import { patch } from './support/bytes.js';
import { type Program, TestDatapath } from './support/datapath.js';
import { eth, ipv4, Protocol, udp, vxlan } from './support/frames.js';
import { VERIFIER_LIMITS } from './support/limits.js';

const test = suite('drops');
const BUDGET = 5;
const datapath = await TestDatapath.load({ drop_samples_per_second: BUDGET });
const samples: DropEvent[] = [];
const reader = ringBuffer(datapath.map('drop_events'), (record) =>
  samples.push(dropEventCodec.decode(record)),
);
test.after(() => {
  reader.close();
  datapath.close();
});

const frame = eth(
  bob.mac,
  alice.mac,
  'ipv4',
  ipv4({ from: bob.ip4, to: bob.ip4, protocol: Protocol.udp }, udp(7, 7, Buffer.alloc(400, 0x61))),
);

/** Runs `action` and waits for its samples. */
async function sampled(action: () => void, count: number): Promise<DropEvent[]> {
  samples.length = 0;
  action();
  for (let i = 0; i < 100 && samples.length < count; i++) await sleep(patience(10));
  return [...samples];
}

test('a sample says what was dropped, where, why and how it began', async () => {
  const [event] = await sampled(() => datapath.run('from_container', frame), 1);
  assert.ok(event);
  assert.equal(
    { ...event, timeNs: 0n, head: [] },
    {
      timeNs: 0n,
      reason: DropReason.SPOOFED_IP,
      hook: Hook.FROM_CONTAINER,
      ifindex: alice.ifindex,
      vni: VNI,
      len: frame.length,
      captured: 96,
      head: [],
    },
  );
  assert.ok(Buffer.from(event.head).equals(frame.subarray(0, 96)));
  assert.ok(event.timeNs > 0n);
});

test('a short packet is captured whole', async () => {
  const short = patch(frame.subarray(0, 34), 6, [2, 0, 0, 0, 0, 9]);
  const [event] = await sampled(() => datapath.run('from_container', short), 1);
  assert.is(event?.captured, 34);
  assert.is(event?.reason, DropReason.SPOOFED_MAC);
  assert.ok(Buffer.from(event?.head ?? []).equals(Buffer.concat([short, Buffer.alloc(62)])));
});

test('the VNI of a packet from the underlay is told as soon as it is known', async () => {
  const outer = { from: '192.0.2.66', to: node.ip4, protocol: Protocol.udp };
  const packet = eth(node.mac, peer.mac, 'ipv4', ipv4(outer, udp(50000, PORT, vxlan(VNI, frame))));
  const [event] = await sampled(() => datapath.run('from_underlay', packet), 1);
  assert.equal(
    [event?.reason, event?.hook, event?.vni],
    [DropReason.UNLISTED_SENDER, Hook.FROM_UNDERLAY, VNI],
  );
});

test('a sample from XDP is made like the others, also of a frame of several buffers', async () => {
  const outer = { from: '192.0.2.66', to: node.ip4, protocol: Protocol.udp };
  for (const size of [60, 9000]) {
    const inner = Buffer.concat([frame.subarray(0, 40), Buffer.alloc(size, 0x62)]);
    const packet = eth(node.mac, peer.mac, 'ipv4', ipv4(outer, udp(50000, PORT, vxlan(VNI, inner))));
    const [event] = await sampled(() => datapath.run('underlay_filter', packet), 1);
    assert.equal(
      { ...event, timeNs: 0n, head: [] },
      {
        timeNs: 0n,
        reason: DropReason.UNLISTED_SENDER,
        hook: Hook.UNDERLAY_FILTER,
        ifindex: alice.ifindex,
        vni: VNI,
        len: packet.length,
        captured: 96,
        head: [],
      },
    );
    assert.ok(Buffer.from(event?.head ?? []).equals(packet.subarray(0, 96)));
  }
});

test('a flood of drops is counted in full and sampled within the budget', async () => {
  await sleep(1100); /* a new second */
  const times = 500;
  let counted = 0;
  const started = performance.now();
  let seconds = 0;
  const events = await sampled(() => {
    for (let i = 0; i < times; i++) counted += datapath.run('from_container', frame).drops.length;
    seconds = (performance.now() - started) / 1000;
  }, BUDGET);
  assert.is(counted, times);
  assert.ok(events.length >= BUDGET, 'some are sampled');
  /* Each second that the run touches, on each CPU that it may move to, has a budget of its own. */
  const most = BUDGET * (Math.ceil(seconds) + 1) * cpus().length;
  assert.ok(most < times, `${seconds.toFixed(1)} s are too long to see a budget`);
  assert.ok(events.length <= most, `${events.length} samples of ${times} drops in ${seconds.toFixed(1)} s`);
});

for (const [program, limit] of Object.entries(VERIFIER_LIMITS) as [Program, number][]) {
  test(`${program} is verified in at most ${limit} instructions`, () => {
    const instructions = datapath.verifiedInstructions(program);
    assert.ok(instructions > 100, 'the kernel says how many');
    assert.ok(instructions <= limit, `${instructions} instructions`);
  });
}

test.run();
