/* underlay_filter: bad VXLAN ends before there is an skb; all else passes as it came, and nothing is counted of it. */

import { u32 } from 'libbpf-ts-bindings';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { underlayDeviceCodec } from '../../src/datapath/types.gen.js';
import { alice, carol, node, peer, stranger } from './support/actors.js';
import { hex, mac, patch } from './support/bytes.js';
import { captures } from './support/captures.js';
import { TestDatapath } from './support/datapath.js';
import { eth } from './support/frames.js';
import {
  assertFiltered,
  assertHooksAgree,
  assertPassed,
  SHORTEST_IPV4,
  SHORTEST_IPV6,
} from './support/rows.js';
import { hostile, inner4, inner6, innerArp, notOurs, over4, over6 } from './support/underlay.js';

const test = suite('filter on the underlay');
const datapath = await TestDatapath.load();
test.after(() => datapath.close());

const big = eth(alice.mac, carol.mac, 0x88b5, Buffer.alloc(9000, 1));

const good = [
  ...captures.map(({ name, frame }) => ({ what: `what a kernel vxlan device sends: ${name}`, frame })),
  ...[inner4, inner6, innerArp].flatMap((inner) => [
    { what: `EtherType ${inner.toString('hex', 12, 14)} over IPv4`, frame: over4(inner) },
    { what: `EtherType ${inner.toString('hex', 12, 14)} over IPv6`, frame: over6(inner) },
  ]),
  { what: 'a frame of several buffers', frame: over4(big) },
  { what: 'a frame of several buffers over IPv6', frame: over6(big) },
  { what: 'reserved flags and bits', frame: patch(over4(inner4, { flags: 0xffffffff }), 49, [0xff]) },
];

for (const { what, frame } of [...good, ...notOurs]) {
  test(`passes ${what}`, () => {
    assertFiltered(
      datapath.run('underlay_filter', over4(inner4, { flags: 0 })),
      'BAD_VXLAN',
      over4(inner4, { flags: 0 }),
      'precondition',
    );
    assertPassed(datapath.run('underlay_filter', frame), frame, what);
  });
}

/** These take a lookup more, and a listed sender to cause them. */
const LATER = ['UNKNOWN_MAC', 'NO_MEMBERS'];

for (const { reason, what, frame } of hostile) {
  const isLater = LATER.includes(reason);
  test(`${isLater ? 'leaves to from_underlay' : 'drops'} ${what}`, () => {
    assertPassed(datapath.run('underlay_filter', over4(inner4)), over4(inner4), 'precondition');
    const run = datapath.run('underlay_filter', frame);
    if (isLater) assertPassed(run, frame, what);
    else assertFiltered(run, reason, frame, what);
    assert.is(assertHooksAgree(datapath, frame, what), !isLater);
  });
}

test('drops bad frames of several buffers', () => {
  const from = stranger.ip4;
  assertFiltered(
    datapath.run('underlay_filter', over4(big, { from })),
    'UNLISTED_SENDER',
    over4(big, { from }),
    'IPv4',
  );
  const cut = over6(big).subarray(0, 8000);
  assertFiltered(datapath.run('underlay_filter', cut), 'BAD_VXLAN', cut, 'cut off');
});

test('agrees with from_underlay about a packet that is cut off at any byte', () => {
  for (const [frame, shortest, udpEnd] of [
    [over4(inner4), SHORTEST_IPV4, 42],
    [over6(inner6), SHORTEST_IPV6, 62],
  ] as const) {
    for (let length = shortest; length < frame.length; length++) {
      const dropped = assertHooksAgree(datapath, frame.subarray(0, length), `${length} bytes`);
      assert.is(dropped, length >= udpEnd, `${length} bytes`);
    }
  }
});

test('agrees about inner packets of any length', () => {
  for (const inner of [inner4, inner6, innerArp]) {
    for (let length = 0; length <= inner.length; length++) {
      for (const frame of [over4(inner.subarray(0, length)), over6(inner.subarray(0, length))]) {
        const least = inner === innerArp ? 14 : 16;
        assert.is(
          assertHooksAgree(datapath, frame, `${length} inner bytes`),
          length < least,
          `${length} inner bytes`,
        );
      }
    }
  }
});

test('agrees about any outer length that is claimed', () => {
  const lengths = [0, 1, 8, 20, 28, 49, 61, 62, 63, 79, 80, 81, 82, 83, 84, 1500, 0x7fff, 0xffff];
  let drops = 0;
  for (const claimed of lengths) {
    for (const fields of [{ ipLength: claimed }, { udpLength: claimed }]) {
      for (const frame of [over4(inner4, fields), over6(inner4, fields)]) {
        if (assertHooksAgree(datapath, frame, JSON.stringify(fields))) drops += 1;
      }
    }
  }
  assert.ok(drops >= 12 && drops < lengths.length * 4, `${drops} drops`);
});

test('a frame for another MAC than the device has is not ours, however bad, for both hooks', () => {
  const bad = over4(inner4, { flags: 0 });
  for (const to of ['020000000077', 'ffffffffffff', '01005e000001']) {
    const frame = patch(bad, 0, hex(to));
    assert.is(assertHooksAgree(datapath, frame, to), false);
    assertPassed(datapath.run('from_underlay', frame), frame, to);
  }
  const device = datapath.map('underlay_device').typed(u32, underlayDeviceCodec);
  try {
    device.set(0, { mac: mac(peer.mac) });
    assertPassed(datapath.run('underlay_filter', bad), bad, 'the device has another MAC now');
    const frame = patch(bad, 0, mac(peer.mac));
    assertFiltered(datapath.run('underlay_filter', frame), 'BAD_VXLAN', frame, 'and its frames are ours');
  } finally {
    device.set(0, { mac: mac(node.mac) });
  }
});

test('frames too short for any header pass', () => {
  for (let length = 14; length < 42; length++) {
    const frame = over4(inner4).subarray(0, length);
    assertPassed(datapath.run('underlay_filter', frame), frame, `${length} bytes`);
  }
});

test.run();
