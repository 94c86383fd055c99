/* Queries from anybody: whatever the bytes are, they are a query, an error reply or ignored, and nothing throws. */
import dnsPacket from 'dns-packet';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { answerReply, emptyReply, type Parsed, parseQuery } from '../../src/dns/message.js';
import { MessageReader } from '../../src/dns/stream.js';

const test = suite('message');

/** A generator of numbers that are the same in every run (Park and Miller's). */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 48271) % 0x7fffffff;
    return state % below;
  };
}

const plain = dnsPacket.encode({
  ...{ type: 'query', id: 7, flags: dnsPacket.RECURSION_DESIRED },
  questions: [{ type: 'A', name: 'web.app' }],
});
/** dig's: EDNS with a cookie. */
const withOptions = Buffer.concat([
  Buffer.from('000701200001000000000001', 'hex'),
  Buffer.from('03776562036170700000010001', 'hex'),
  Buffer.from('00002904d000008000000c000a0008d21d2fbbcf69ebed', 'hex'),
]);

function check(parsed: Parsed, wire: Buffer): void {
  if (parsed.kind === 'ignore') return;
  const replies =
    parsed.kind === 'reply'
      ? [parsed.reply]
      : [emptyReply(parsed.query, 'SERVFAIL'), emptyReply(parsed.query, 'BADVERS')];
  for (const reply of replies) {
    assert.is(reply.readUInt16BE(0), wire.readUInt16BE(0), 'the reply has the id of the query');
    assert.ok((reply.readUInt8(2) & 0x80) !== 0, 'the reply is marked as one');
  }
}

test('reads 30000 queries with up to eight random bytes changed, cut or added', () => {
  const random = numbers(20241122);
  let understood = 0;
  for (let round = 0; round < 30_000; round++) {
    const wire = Buffer.from(round % 2 === 0 ? plain : withOptions);
    for (let i = random(8); i >= 0; i--) wire[random(wire.length)] = random(256);
    const size = random(4) === 0 ? random(wire.length) : wire.length;
    const tail = random(4) === 0 ? Buffer.alloc(random(40), random(256)) : Buffer.alloc(0);
    const message = Buffer.concat([wire.subarray(0, size), tail]);
    const parsed = parseQuery(message);
    check(parsed, message);
    if (parsed.kind === 'query') understood++;
  }
  assert.ok(understood > 1000, `only ${understood} were understood: the rest proves little`);
});

test('reads 30000 messages of random bytes behind a sane header', () => {
  const random = numbers(7);
  for (let round = 0; round < 30_000; round++) {
    const wire = Buffer.alloc(12 + random(60));
    for (let at = 12; at < wire.length; at++) wire[at] = random(3) === 0 ? 0xc0 | random(64) : random(64);
    wire.writeUInt16BE(1, 4);
    wire.writeUInt16BE(random(3), 10);
    check(parseQuery(wire), wire);
  }
});

test('reads what dig sends', () => {
  const parsed = parseQuery(withOptions);
  assert.is(parsed.kind, 'query');
  if (parsed.kind !== 'query') return;
  const { question, edns } = parsed.query;
  assert.equal([question.name, question.type, question.class, question.plain], ['web.app', 'A', 'IN', true]);
  assert.equal(edns, { size: 1232, version: 0, dnssecOk: true });
});

const names: [string, string, boolean][] = [
  ['077765622e61707000', 'a dot inside a label', false],
  ['03776562ff', 'a label type that does not exist', false],
  ['04776562ff00', 'bytes that are not UTF-8', false],
  ['00', 'the root', true],
];
for (const [hex, what, isPlain] of names) {
  test(`a name with ${what} is ${isPlain ? 'taken for what it says' : 'not taken for another'}`, () => {
    const parsed = parseQuery(Buffer.from(`000701000001000000000000${hex}00010001`, 'hex'));
    assert.is(parsed.kind === 'query' && parsed.query.question.plain, isPlain);
  });
}

const sizes: [number, number][] = [
  [0, 512],
  [100, 512],
  [1232, 1232],
  [65535, 4096],
];
for (const [offered, limit] of sizes) {
  test(`over UDP, a client that offers ${offered || 'no EDNS size'} gets at most ${limit} bytes`, () => {
    const wire = Buffer.from(withOptions);
    wire.writeUInt16BE(offered, wire.indexOf('2904d0', 0, 'hex') + 1);
    const parsed = parseQuery(offered === 0 ? plain : wire);
    if (parsed.kind !== 'query') throw new Error('the query was not understood');
    const records = Array.from({ length: 500 }, (_, i) => ({
      ...{ type: 'A' as const, name: 'web.app', ttl: 5 },
      data: `10.0.${i >> 8}.${i & 255}`,
    }));
    const reply = answerReply(parsed.query, records, 'udp');
    assert.ok(reply.length <= limit && reply.length > limit - 40, `it has ${reply.length}`);
    assert.ok(dnsPacket.decode(reply).flag_tc);
    const whole = dnsPacket.decode(answerReply(parsed.query, records, 'tcp'));
    assert.equal([whole.flag_tc, whole.answers?.length], [false, 500]);
  });
}

test('a stream is cut into messages however it is chopped', () => {
  const random = numbers(3);
  const messages = Array.from({ length: 200 }, () => Buffer.alloc(random(300), random(256)));
  const stream = Buffer.concat(
    messages.flatMap((message) => [Buffer.from([message.length >> 8, message.length & 255]), message]),
  );
  for (const most of [1, 2, 7, 1000, stream.length]) {
    const seen: Buffer[] = [];
    const reader = new MessageReader((message) => seen.push(message));
    for (let at = 0; at < stream.length; ) {
      const size = 1 + random(most);
      reader.push(stream.subarray(at, at + size));
      at += size;
    }
    assert.equal(seen, messages);
  }
});

test.run();
