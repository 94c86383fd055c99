/* Flood lists as places: who moves, who does not, and when the array is another one. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { membersOf, NOBODY, placesOf, rewrite } from '../../src/datapath/flood-list.js';

const test = suite('flood list');

const member = (n: number): string => Buffer.from(BigUint64Array.of(BigInt(n)).buffer).toString('latin1');
const members = (...numbers: number[]): Set<string> => new Set(numbers.map(member));
const upTo = (count: number): Set<string> => members(...Array.from({ length: count }, (_, n) => n + 1));
const capacity = (list: string): number => placesOf(list).length;

test('a new list has room for eight, and grows to the next power of two', () => {
  for (const [count, room] of [
    [1, 8],
    [8, 8],
    [9, 16],
    [1000, 1024],
    [1025, 2048],
  ] as const) {
    const { list, places } = rewrite('', upTo(count));
    assert.is(places, undefined, 'it is a new array');
    assert.is(capacity(list), room);
    assert.equal(new Set(membersOf(list)), upTo(count));
  }
});

test('only the places of those who come and go are written', () => {
  const { list } = rewrite('', members(1, 2, 3, 4));
  const change = rewrite(list, members(1, 3, 4, 5, 6));
  assert.equal(
    [...(change.places ?? [])].sort(),
    [
      [1, member(5)],
      [4, member(6)],
    ],
    'place 1 goes from 2 to 5 in one step',
  );
  assert.equal(placesOf(change.list).slice(0, 5), [1, 5, 3, 4, 6].map(member));
});

test('the same members again are nothing to write', () => {
  const { list } = rewrite('', members(3, 1, 2));
  assert.is(rewrite(list, members(2, 3, 1)).places?.size, 0);
});

test('a list is laid out anew when it is full, and when fewer than one place in eight is taken', () => {
  const full = rewrite('', upTo(8)).list;
  assert.is(rewrite(full, upTo(9)).places, undefined);
  const wide = rewrite('', upTo(64)).list;
  assert.is(rewrite(wide, upTo(8)).places?.size, 56);
  const narrow = rewrite(wide, upTo(7));
  assert.is(narrow.places, undefined);
  assert.is(capacity(narrow.list), 8);
});

test('an array of another length, from an older agent, is used as it is until it is full', () => {
  const three = [1, 2, 3].map(member).join('');
  assert.equal([...(rewrite(three, members(1, 3)).places ?? [])], [[1, NOBODY]]);
  assert.is(capacity(rewrite(three, upTo(4)).list), 8);
});

test('a member that is there twice is left there once', () => {
  const twice = [1, 2, 1].map(member).join('');
  assert.equal([...(rewrite(twice, members(1, 2)).places ?? [])], [[2, NOBODY]]);
});

test('through any history the others keep their places, and everybody is there once', () => {
  let list = '';
  let present = new Set<string>();
  let seed = 1;
  const random = (below: number): number => {
    seed = (seed * 48271) % 2147483647;
    return seed % below;
  };
  for (let step = 0; step < 3000; step++) {
    const next = new Set(present);
    const who = member(1 + random(40 + (step % 200)));
    if (!next.delete(who)) next.add(who);
    if (next.size === 0) continue;
    const change = rewrite(list, next);
    if (change.places) {
      const before = placesOf(list);
      const after = placesOf(change.list);
      for (const one of next) if (present.has(one)) assert.is(after.indexOf(one), before.indexOf(one));
    }
    assert.equal(membersOf(change.list), [...next].sort());
    list = change.list;
    present = next;
  }
  assert.ok(present.size > 10, 'there was something to see');
});

test.run();
