/**
 * Who has what: key → ids, in the order in which they were added. Nearly every name, address and MAC has one holder,
 * so that one id is kept as it is, and only several make a set: a set of one costs 200 bytes.
 */
export class Index {
  readonly #ids = new Map<string, string | Set<string>>();

  get size(): number {
    return this.#ids.size;
  }

  keys(): IterableIterator<string> {
    return this.#ids.keys();
  }

  /** Not to be kept: it changes with the index. */
  get(key: string): Iterable<string> {
    const held = this.#ids.get(key);
    return held === undefined ? NOBODY : typeof held === 'string' ? [held] : held;
  }

  /** Who was added last. */
  last(key: string): string | undefined {
    const held = this.#ids.get(key);
    if (typeof held !== 'object') return held;
    let last: string | undefined;
    for (const id of held) last = id;
    return last;
  }

  /** An id that has the key already stays where it is in the order. */
  add(key: string, id: string): void {
    const held = this.#ids.get(key);
    if (held === undefined) this.#ids.set(key, id);
    else if (typeof held === 'object') held.add(id);
    else if (held !== id) this.#ids.set(key, new Set([held, id]));
  }

  delete(key: string, id: string): void {
    const held = this.#ids.get(key);
    if (held === id) this.#ids.delete(key);
    if (typeof held !== 'object' || !held.delete(id)) return;
    const [only] = held;
    if (held.size === 1 && only !== undefined) this.#ids.set(key, only);
  }
}

/** An index per scope, whose keys are then not longer than they must be. */
export class ScopedIndex {
  readonly #scopes = new Map<string, Index>();

  keys(scope: string): Iterable<string> {
    return this.#scopes.get(scope)?.keys() ?? NOBODY;
  }

  get(scope: string, key: string): Iterable<string> {
    return this.#scopes.get(scope)?.get(key) ?? NOBODY;
  }

  last(scope: string, key: string): string | undefined {
    return this.#scopes.get(scope)?.last(key);
  }

  add(scope: string, key: string, id: string): void {
    const index = this.#scopes.get(scope);
    if (index) index.add(key, id);
    else this.#scopes.set(scope, new Index()).get(scope)?.add(key, id);
  }

  delete(scope: string, key: string, id: string): void {
    const index = this.#scopes.get(scope);
    index?.delete(key, id);
    if (index?.size === 0) this.#scopes.delete(scope);
  }
}

const NOBODY: readonly string[] = [];
