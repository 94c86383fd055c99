/*
 * Numbers from a fixed range, each taken by one holder. Next-fit: a number that was given back is used again as late
 * as possible, so that rows which still name it in another place point to nobody rather than to a stranger.
 */
export class Slots {
  readonly #first: number;
  readonly #end: number;
  readonly #taken = new Set<number>();
  #next: number;

  /** Numbers from `first` up to, without, `end`. Those taken beyond, when the range was bigger, count for nothing. */
  constructor(first: number, end: number, taken: Iterable<number> = []) {
    this.#first = first;
    this.#end = end;
    this.#next = first;
    for (const slot of taken) {
      if (slot < first || slot >= end) continue;
      this.#taken.add(slot);
      this.#next = Math.max(this.#next, slot + 1);
    }
  }

  get size(): number {
    return this.#taken.size;
  }

  /** Undefined when all are taken. */
  take(): number | undefined {
    const range = this.#end - this.#first;
    if (this.#taken.size >= range) return undefined;
    while (this.#next >= this.#end || this.#taken.has(this.#next)) {
      this.#next = this.#next >= this.#end ? this.#first : this.#next + 1;
    }
    this.#taken.add(this.#next);
    return this.#next++;
  }

  release(slot: number): void {
    this.#taken.delete(slot);
  }
}
