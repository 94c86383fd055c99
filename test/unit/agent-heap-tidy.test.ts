/* When an agent collects its heap: after it grew, and never while something happens. */
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { HeapTidy } from '../../src/agent/heap-tidy.js';
import { waitFor } from '../../src/lab/wait.js';

const tidying = suite('tidying the heap');
const MIB = 2 ** 20;
const quietMs = 20;

/** A heap of that size, which a collection brings down to its live part. */
class Heap {
  collections = 0;
  bytes = 50 * MIB;
  live = 50 * MIB;
  readonly tidy = new HeapTidy({
    quietMs,
    heapBytes: () => this.bytes,
    collect: () => {
      this.collections += 1;
      this.bytes = this.live;
    },
  });
}

tidying('what the start left is collected, twice, and then no more until the heap has grown', async () => {
  const heap = new Heap();
  heap.bytes = 150 * MIB;
  heap.live = 60 * MIB;
  await waitFor('two collections', () => heap.collections === 2);
  assert.is(heap.bytes, 60 * MIB);
  await sleep(5 * quietMs);
  assert.is(heap.collections, 2, 'nothing to collect');
  heap.bytes = 70 * MIB;
  await sleep(5 * quietMs);
  assert.is(heap.collections, 2, 'it grew a little');
  heap.bytes = 80 * MIB;
  await waitFor('two more', () => heap.collections === 4);
  heap.tidy.close();
});

tidying('while things happen nothing is collected', async () => {
  const heap = new Heap();
  heap.bytes = 150 * MIB;
  const working = setInterval(() => heap.tidy.busy(), 1);
  try {
    await sleep(8 * quietMs);
    assert.is(heap.collections, 0);
  } finally {
    clearInterval(working);
  }
  await waitFor('a collection', () => heap.collections > 0);
  heap.tidy.close();
});

tidying("the collector is V8's own", async () => {
  const tidy = new HeapTidy({ quietMs, heapBytes: growing() });
  let garbage: unknown = new Array(1000).fill({});
  const reference = new WeakRef(garbage as object);
  garbage = undefined;
  await waitFor('the garbage to be collected', () => reference.deref() === undefined);
  tidy.close();
});

/** A heap that always seems to have grown. */
function growing(): () => number {
  let bytes = 0;
  return () => {
    bytes += 100 * MIB;
    return bytes;
  };
}

tidying.run();
