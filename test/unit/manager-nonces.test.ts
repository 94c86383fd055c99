// Numbers that are good once, for a while, and cost nothing to hand out.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Nonces } from '../../src/cluster/manager/nonces.js';

test('good once', () => {
  const nonces = new Nonces(1000);
  const [first, second] = [nonces.make(), nonces.make()];
  assert.is.not(first, second);
  assert.equal([nonces.use(first), nonces.use(first), nonces.use(second)], [true, false, true]);
});

test('good for a while', () => {
  let now = 1_000_000;
  const nonces = new Nonces(30_000, () => now);
  const [early, late] = [nonces.make(), nonces.make()];
  now += 30_000;
  assert.ok(nonces.use(early));
  now += 1;
  assert.not.ok(nonces.use(late));
});

test('of this process alone, as it was made', () => {
  const nonces = new Nonces(30_000);
  const nonce = nonces.make();
  assert.not.ok(new Nonces(30_000).use(nonce));
  const later = nonce.replace(/^\d+/, (end) => `${Number(end) + 60_000}`);
  for (const text of [later, nonce.slice(0, -1), `${nonce}0`, '', '1.2.3', nonce.toUpperCase()]) {
    assert.not.ok(nonces.use(text), text);
  }
  assert.ok(nonces.use(nonce));
});

test('used ones are forgotten when they would be refused for their age', () => {
  let now = 0;
  const nonces = new Nonces(100, () => now);
  const all = Array.from({ length: 1000 }, () => nonces.make());
  assert.ok(all.every((nonce) => nonces.use(nonce)));
  now = 101;
  assert.not.ok(all.some((nonce) => nonces.use(nonce)));
  assert.ok(nonces.use(nonces.make()));
});

test.run();
