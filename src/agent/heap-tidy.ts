/*
 * Gives back memory that nobody uses. V8 collects when something is allocated, so an agent that took in ten thousand
 * endpoints and is then left alone would keep a hundred megabytes of what it was done with for hours. When the heap
 * has grown and nothing has happened for a while, it is collected, and once more a while later: the first time leaves
 * pages empty, the second one returns them. Each stops the process for some 20 ms; packets do not notice, and an
 * attach that comes just then waits.
 */
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

export interface HeapTidyOptions {
  /** When it has been quiet for that long, and how often that is looked at. */
  readonly quietMs?: number;
  readonly heapBytes?: () => number;
  readonly collect?: () => void;
}

/** By how much the heap must have grown: less is not worth the pause. */
const WORTHWHILE_BYTES = 16 * 2 ** 20;

export class HeapTidy {
  readonly #timer: NodeJS.Timeout;
  readonly #heapBytes: () => number;
  readonly #collect: () => void;
  /** The heap as of the last collection. Nothing is known of it at first: what a start leaves behind is collected. */
  #kept = 0;
  #isBusy = true;
  #isOnceMore = false;

  constructor({ quietMs = 3000, heapBytes = totalHeap, collect = collectorOf() }: HeapTidyOptions = {}) {
    this.#heapBytes = heapBytes;
    this.#collect = collect;
    this.#timer = setInterval(() => this.#look(), quietMs).unref();
  }

  /** Something happened: this is no time for a pause. */
  busy(): void {
    this.#isBusy = true;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const wasBusy = this.#isBusy;
    this.#isBusy = false;
    const heap = this.#heapBytes();
    this.#kept = Math.min(this.#kept, heap);
    const hasGrown = heap >= this.#kept + WORTHWHILE_BYTES;
    if (wasBusy || !(hasGrown || this.#isOnceMore)) return;
    this.#collect();
    this.#kept = this.#heapBytes();
    this.#isOnceMore = hasGrown;
  }
}

function totalHeap(): number {
  return getHeapStatistics().total_heap_size;
}

/** V8's own `gc`, which it shows to contexts that are made after it was told to. */
function collectorOf(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}
