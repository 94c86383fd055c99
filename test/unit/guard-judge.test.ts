// What the guard lets a worker ask of etcd, against a plain model: a set of keys, and which of them a request touches.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type Asker,
  judgeDelete,
  judgeGrant,
  judgePut,
  judgeRange,
  judgeTxn,
  judgeWatch,
} from '../../src/cluster/guard/judge.js';
import { BadFrame, Frames, frame, type RequestOp, type Txn } from '../../src/cluster/guard/messages.js';
import { statusMessage } from '../../src/cluster/guard/status.js';

const NODE = 'a'.repeat(25);
const OTHER = 'b'.repeat(25);
const asker: Asker = { node: NODE, ownsLease: async (lease) => lease === '7' };
const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

/** Keys around every border that there is. */
const KEYS = [
  '',
  '\0',
  '/plai',
  '/plait',
  '/plait/',
  '/plait/\0',
  `/plait/alive/${NODE}`,
  `/plait/nodes/${NODE}`,
  `/plait/nodes/${OTHER}`,
  '/plait/secrets',
  '/plait/secrets/',
  '/plait/secrets/ca',
  '/plait/secrets/\xff\xff',
  '/plait/secrets0',
  '/plait/specs/x',
  '/plait/\xff',
  '/plait0',
  '/z',
  '\xff\xff',
];
const OWN = new Set([`/plait/alive/${NODE}`, `/plait/nodes/${NODE}`]);
const isReadable = (key: string): boolean => key.startsWith('/plait/') && !key.startsWith('/plait/secrets/');

/** As etcd has it: no end is the one key, an end of NUL is all from there on. */
function touched(key: string, end: string): string[] {
  if (end === '') return [key];
  return KEYS.filter(
    (one) => bytes(one).compare(bytes(key)) >= 0 && (end === '\0' || bytes(one).compare(bytes(end)) < 0),
  );
}

test('a range is let through only if all that it touches may be read', () => {
  let passed = 0;
  for (const key of KEYS) {
    for (const end of KEYS) {
      const verdict = judgeRange({ key: bytes(key), rangeEnd: bytes(end) });
      if (verdict !== undefined) continue;
      passed += 1;
      for (const one of touched(key, end)) assert.ok(isReadable(one), `${key} to ${end}: ${one}`);
    }
  }
  assert.ok(passed > 20, `${passed} ranges pass`);
  for (const prefix of [
    '/plait/nodes/',
    '/plait/specs/',
    '/plait/alive/',
    '/plait/networks/',
    '/plait/endpoints/',
  ]) {
    const end = `${prefix.slice(0, -1)}0`;
    assert.is(judgeRange({ key: bytes(prefix), rangeEnd: bytes(end) }), undefined, prefix);
  }
});

test('only its own two keys are written, without a lease or under its own', async () => {
  const lease = (id: number) => ({ toString: () => `${id}` });
  for (const key of KEYS) {
    const isOwn = OWN.has(key);
    assert.is((await judgePut({ key: bytes(key) }, asker)) === undefined, isOwn, key);
    assert.is((await judgePut({ key: bytes(key), lease: lease(7) }, asker)) === undefined, isOwn, key);
    assert.type(await judgePut({ key: bytes(key), lease: lease(8) }, asker), 'string');
    assert.is(judgeDelete({ key: bytes(key) }, asker) === undefined, isOwn, key);
    for (const end of KEYS.slice(1)) {
      assert.type(judgeDelete({ key: bytes(key), rangeEnd: bytes(end) }, asker), 'string');
    }
  }
});

/** A number generator with a seed, so that a failure can be repeated. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * below);
  };
}

/** What a transaction would read and write, by a walk that knows nothing of the guard. */
interface Touches {
  reads: string[];
  writes: string[];
}

function randomTxn(random: (below: number) => number, depth: number, touches: Touches): Txn {
  const readable = KEYS.filter(isReadable);
  const pick = (from: readonly string[]): string => from[random(from.length)] ?? '';
  const key = (): string => (random(40) === 0 ? pick(KEYS) : pick(readable));
  const op = (): RequestOp => {
    const kind = random(depth > 0 ? 4 : 3);
    if (kind === 3) return { requestTxn: randomTxn(random, depth - 1, touches) };
    const text = kind === 0 || random(30) === 0 ? key() : pick([...OWN]);
    (kind === 0 ? touches.reads : touches.writes).push(text);
    if (kind === 0) return { requestRange: { key: bytes(text) } };
    return kind === 1 ? { requestPut: { key: bytes(text) } } : { requestDeleteRange: { key: bytes(text) } };
  };
  const several = <T>(make: () => T): T[] => Array.from({ length: random(4) }, make);
  return {
    compare: several(() => {
      const text = key();
      touches.reads.push(text);
      return { key: bytes(text) };
    }),
    success: several(op),
    failure: several(op),
  };
}

test('10,000 random transactions: let through exactly when all that they touch is allowed', async () => {
  const random = numbers(4711);
  let passed = 0;
  for (let count = 0; count < 10_000; count++) {
    const touches: Touches = { reads: [], writes: [] };
    const txn = randomTxn(random, 3, touches);
    const allowed = touches.reads.every(isReadable) && touches.writes.every((key) => OWN.has(key));
    assert.is((await judgeTxn(txn, asker)) === undefined, allowed, JSON.stringify(touches));
    if (allowed) passed += 1;
  }
  assert.ok(passed > 2000 && passed < 9500, `${passed} of 10,000 passed`);
});

test('deeper than four, several operations in one, and none are refused', async () => {
  let txn: Txn = {};
  for (let depth = 0; depth < 4; depth++) txn = { success: [{ requestTxn: txn }] };
  assert.match((await judgeTxn(txn, asker)) ?? '', 'transactions within');
  const range = { key: bytes('/plait/cluster') };
  for (const op of [{}, { requestRange: range, requestTxn: {} }]) {
    assert.match((await judgeTxn({ failure: [op] }, asker)) ?? '', 'several operations');
  }
  assert.match(judgeWatch({ createRequest: range, cancelRequest: {} }) ?? '', 'several requests');
  assert.match(judgeWatch({}) ?? '', 'several requests');
  assert.is(judgeWatch({ createRequest: range }), undefined);
  assert.is(judgeWatch({ progressRequest: {} }), undefined);
});

test('leases live 5 to 600 s and have no chosen id', () => {
  const long = (value: number) => ({ toString: () => `${value}` });
  const verdicts = [4, 5, 600, 601, -1].map(
    (ttl) => judgeGrant({ TTL: long(ttl), ID: long(0) }) === undefined,
  );
  assert.equal(verdicts, [false, true, true, false, false]);
  assert.type(judgeGrant({ TTL: long(15), ID: long(9) }), 'string');
});

test('messages are found in a stream however it is cut', () => {
  const messages = ['', 'a', 'bc', 'x'.repeat(300)].map((text) => Buffer.from(text));
  const stream = Buffer.concat(messages.map((message) => frame(message)));
  for (const size of [1, 2, 4, 5, 6, 7, 100, stream.length]) {
    const frames = new Frames(1000);
    const found: Buffer[] = [];
    for (let at = 0; at < stream.length; at += size) {
      found.push(...frames.take(stream.subarray(at, at + size)));
    }
    assert.equal(found.map(String), messages.map(String), `by ${size}`);
    assert.ok(frames.isEmpty);
  }
  assert.throws(
    () => [...new Frames(10).take(frame(Buffer.alloc(11)))],
    (error: unknown) => error instanceof BadFrame,
  );
  const compressed = Buffer.from(frame(Buffer.from('a')));
  compressed[0] = 1;
  assert.throws(() => [...new Frames(10).take(compressed)], /compressed/);
});

test('a reason is a header of ASCII, and reads as it was', () => {
  const text = 'key "/plait/x": 100 % of it, für Manager → no';
  const encoded = statusMessage(text);
  assert.match(encoded, /^[ -~]*$/);
  assert.match(encoded, 'key "/plait/x": 100 %25 of it, f%C3%BCr');
  assert.is(decodeURIComponent(encoded), text);
});

test.run();
