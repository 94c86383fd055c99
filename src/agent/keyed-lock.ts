/* Work under one key runs one after the other, in the order it was asked for; different keys do not wait. */

export class KeyedLock {
  #tails = new Map<string, Promise<void>>();

  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(key) ?? Promise.resolve();
    const result = before.then(work);
    const tail = result.then(
      () => undefined,
      () => undefined,
    );
    this.#tails.set(key, tail);
    try {
      return await result;
    } finally {
      if (this.#tails.get(key) === tail) this.#tails.delete(key);
    }
  }

  /** Resolves when what was asked for so far has ended, well or not. */
  async idle(): Promise<void> {
    await Promise.all(this.#tails.values());
  }
}
