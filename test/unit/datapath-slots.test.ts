import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Slots } from '../../src/datapath/slots.js';

const test = suite('datapath: slots');

test('numbers are taken in order from the first', () => {
  const slots = new Slots(1, 4);
  assert.equal([slots.take(), slots.take(), slots.take(), slots.take()], [1, 2, 3, undefined]);
});

test('a number that was given back is used last', () => {
  const slots = new Slots(0, 4);
  slots.take();
  slots.take();
  slots.release(0);
  assert.equal([slots.take(), slots.take(), slots.take(), slots.take()], [2, 3, 0, undefined]);
});

test('recovered numbers are not handed out again, and counting goes on behind them', () => {
  const slots = new Slots(1, 6, [1, 4]);
  assert.equal([slots.take(), slots.take(), slots.take(), slots.take()], [5, 2, 3, undefined]);
  assert.is(slots.size, 5);
});

test('releasing what nobody has changes nothing', () => {
  const slots = new Slots(0, 2);
  slots.release(1);
  assert.is(slots.size, 0);
});

test('slots beyond the range, from when it was bigger, take no place', () => {
  const slots = new Slots(1, 4, [2, 900, 901, 902]);
  assert.is(slots.size, 1);
  assert.equal([slots.take(), slots.take(), slots.take()], [3, 1, undefined]);
});

test('a quarter of a million slots are no problem', () => {
  const slots = new Slots(
    0,
    250_001,
    Array.from({ length: 250_000 }, (_, n) => n),
  );
  assert.equal([slots.take(), slots.take()], [250_000, undefined]);
});

test.run();
