import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { identityOf } from '../../src/cluster/pki/identity.js';
import { renewAt, renewalPause } from '../../src/cluster/pki/renewal.js';
import { authority, DAY, member } from './support/pki.js';

const test = suite('renewal of certificates');

const NOW = new Date('2026-03-01T12:00:00Z');
const HOUR = 3_600_000;
const MINUTE = 60_000;
/** Just below the biggest that Math.random gives. */
const LAST = 1 - Number.EPSILON;

/** Of a certificate made now with this life: seconds until its renewal, at the earliest, the middle and the latest. */
const rows: { why: string; life: number; after: readonly [number, number, number] }[] = [
  { why: '90 days', life: 90 * DAY, after: [45 * DAY, 58.5 * DAY, 72 * DAY] },
  { why: 'an hour, as long as it is backdated', life: 3600, after: [1800, 2340, 2880] },
  { why: 'two minutes', life: 120, after: [60, 78, 96] },
  { why: 'a second', life: 1, after: [0.5, 0.65, 0.8] },
];
for (const { why, life, after } of rows) {
  test(`one that lives ${why} is renewed between 50 and 80 % of that`, () => {
    const [notBefore, notAfter] = [new Date(NOW.getTime() - HOUR), new Date(NOW.getTime() + life * 1000)];
    const [first, middle, last] = [0, 0.5, LAST].map(
      (random) => (renewAt(notBefore, notAfter, () => random).getTime() - NOW.getTime()) / 1000,
    );
    assert.equal([first, middle, last], after);
  });
}

test('the dates of a real certificate are those that it counts with', async () => {
  const { cert } = await member(await authority(NOW), { now: NOW, expirySeconds: 120 });
  const { notBefore, notAfter } = identityOf(cert);
  assert.equal(
    renewAt(notBefore, notAfter, () => 0),
    new Date(NOW.getTime() + MINUTE),
  );
});

test('moments are spread evenly', () => {
  const notAfter = new Date(NOW.getTime() + 1000 * MINUTE);
  const notBefore = new Date(NOW.getTime() - HOUR);
  const tenths = new Array<number>(10).fill(0);
  for (let i = 0; i < 10_000; i++) {
    const share = (renewAt(notBefore, notAfter).getTime() - NOW.getTime()) / (1000 * MINUTE);
    assert.ok(share >= 0.5 && share <= 0.8, String(share));
    const tenth = Math.min(9, Math.floor((share - 0.5) / 0.03));
    tenths[tenth] = (tenths[tenth] ?? 0) + 1;
  }
  for (const count of tenths) assert.ok(count > 800 && count < 1200, tenths.join(' '));
});

test('a certificate shorter than it is backdated, made by others, is renewed before its end', () => {
  const [notBefore, notAfter] = [NOW, new Date(NOW.getTime() + MINUTE)];
  assert.equal(renewAt(notBefore, notAfter), notAfter);
});

const pauses: { left: string; ms: number; from: number; to: number }[] = [
  { left: '18 days', ms: 18 * DAY * 1000, from: 45 * MINUTE, to: 75 * MINUTE },
  { left: 'two hours', ms: 2 * HOUR, from: 9 * MINUTE, to: 15 * MINUTE },
  { left: '24 s, as of one of two minutes', ms: 24_000, from: 1800, to: 3000 },
  { left: 'a second', ms: 1000, from: 750, to: 1250 },
  { left: 'nothing', ms: 0, from: 45_000, to: 75_000 },
  { left: 'less than nothing', ms: -5 * DAY * 1000, from: 45_000, to: 75_000 },
];
for (const { left, ms, from, to } of pauses) {
  test(`with ${left} left, a failed renewal is tried again after ${from} to ${to} ms`, () => {
    const notAfter = new Date(NOW.getTime() + ms);
    assert.is(
      renewalPause(NOW, notAfter, () => 0),
      from,
    );
    assert.is(
      renewalPause(NOW, notAfter, () => LAST),
      to,
    );
  });
}

test('who always fails tries at least ten times before the end', () => {
  for (const left of [24_000, 18 * DAY * 1000]) {
    let [now, attempts] = [0, 0];
    while (now < left) {
      now += renewalPause(new Date(now), new Date(left), () => LAST);
      attempts++;
    }
    assert.ok(attempts >= 10 && attempts < 600, `${attempts} of ${left}`);
  }
});

test.run();
