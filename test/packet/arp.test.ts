/* ARP from a container: answered from the map, guarded, or flooded. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { alice, bob, carol, everyone, gateway, nobody } from './support/actors.js';
import { hex, patch } from './support/bytes.js';
import { TestDatapath } from './support/datapath.js';
import { type ArpFields, arp, eth } from './support/frames.js';
import { assertDropped } from './support/rows.js';

const test = suite('arp');
const datapath = await TestDatapath.load();
test.after(() => datapath.close());

const ask = (fields: Partial<ArpFields>, to = everyone.mac): Buffer =>
  eth(
    to,
    alice.mac,
    'arp',
    arp({ operation: 1, senderMac: alice.mac, sender: alice.ip4, target: bob.ip4, ...fields }),
  );

const answers = [
  {
    what: 'for a neighbour on this node',
    frame: ask({}),
    out: '020000000001 020000000002 0806 0001 0800 06 04 0002 020000000002 0a0a0003 020000000001 0a0a0002',
  },
  {
    what: 'for a neighbour on another node',
    frame: ask({ target: carol.ip4 }),
    out: '020000000001 020000000003 0806 0001 0800 06 04 0002 020000000003 0a0a0004 020000000001 0a0a0002',
  },
  {
    what: 'for the gateway',
    frame: ask({ target: gateway.ip4 }),
    out: '020000000001 02504c414954 0806 0001 0800 06 04 0002 02504c414954 0a0a0001 020000000001 0a0a0002',
  },
  {
    what: 'asked by unicast, to see whether the neighbour is still there',
    frame: ask({ targetMac: bob.mac }, bob.mac),
    out: '020000000001 020000000002 0806 0001 0800 06 04 0002 020000000002 0a0a0003 020000000001 0a0a0002',
  },
  {
    what: 'to a probe for an address that somebody has (RFC 5227)',
    frame: ask({ sender: '0.0.0.0' }),
    out: '020000000001 020000000002 0806 0001 0800 06 04 0002 020000000002 0a0a0003 020000000001 00000000',
  },
  {
    what: 'and padding stays where it was',
    frame: Buffer.concat([ask({}), Buffer.alloc(18)]),
    out: `020000000001 020000000002 0806 0001 0800 06 04 0002 020000000002 0a0a0003 020000000001 0a0a0002
      ${'00'.repeat(18)}`,
  },
];

for (const { what, frame, out } of answers) {
  test(`answers ${what}`, () => {
    const run = datapath.run('from_container', frame);
    assert.equal({ ...run, out: [] }, { verdict: 'redirect', out: [], drops: [], events: ['ARP_ANSWERED'] });
    assert.is(run.out.toString('hex'), hex(out).toString('hex'));
  });
}

/* This network has no flood list: what would be flooded is told by NO_MEMBERS. */
const floods = [
  { what: 'a question for an unknown address', frame: ask({ target: nobody.ip4 }) },
  { what: 'a probe for its own address', frame: ask({ sender: '0.0.0.0', target: alice.ip4 }) },
  { what: 'an announcement (request)', frame: ask({ target: alice.ip4 }) },
  { what: 'an announcement (reply)', frame: ask({ operation: 2, target: alice.ip4 }) },
];

for (const { what, frame } of floods) {
  test(`does not answer but flood ${what}`, () => {
    assertDropped(datapath.run('from_container', frame), 'NO_MEMBERS', frame, what);
  });
}

const lies = [
  { what: "a sender's MAC that is not its own", frame: ask({ senderMac: bob.mac }) },
  { what: "a sender's address that is not its own", frame: ask({ sender: bob.ip4 }) },
  { what: "the gateway's address", frame: ask({ operation: 2, sender: gateway.ip4 }, bob.mac) },
  { what: 'a reply with an address of others', frame: ask({ operation: 2, sender: carol.ip4 }, bob.mac) },
  { what: 'a probe for an unknown address of others', frame: ask({ sender: '0.0.0.0', target: nobody.ip4 }) },
  { what: 'a hardware type that is not Ethernet', frame: patch(ask({}), 14, [0, 6]) },
  { what: 'a protocol that is not IPv4', frame: patch(ask({}), 16, [0x86, 0xdd]) },
  { what: 'addresses of a wrong length', frame: patch(ask({}), 18, [6, 16]) },
];

for (const { what, frame } of lies) {
  test(`drops ARP with ${what}`, () => {
    assertDropped(datapath.run('from_container', frame), 'SPOOFED_ARP', frame, what);
  });
}

test('drops ARP that is cut off at any byte', () => {
  const whole = ask({});
  assert.is(datapath.run('from_container', whole).verdict, 'redirect');
  for (let length = 14; length < whole.length; length++) {
    const frame = whole.subarray(0, length);
    assertDropped(datapath.run('from_container', frame), 'TRUNCATED', frame, `${length} bytes`);
  }
});

test.run();
