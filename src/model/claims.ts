/**
 * A map's rows with their owners. An address or a MAC may pass from one endpoint to the next before word of the
 * first one's end arrives; then both claim the same key. The latest claim is the row, and giving up an older
 * claim leaves it alone. Claims, not rows, are what owners add and remove, each in O(1).
 */
import type { TableChanges } from './rows.js';

interface Claim<V> {
  owner: string;
  value: V;
}

interface Row<K, V> {
  readonly key: K;
  /** Oldest first; nearly always one. */
  readonly claims: Claim<V>[];
}

export class ClaimTable<K, V> {
  readonly #rows = new Map<string, Row<K, V>>();
  /** Text of the key → the key, which deleted rows still need. */
  #dirty = new Map<string, K>();

  constructor(readonly textOf: (key: K) => string) {}

  /** Claims the key for the owner, which must not hold it yet. */
  claim(owner: string, key: K, value: V): void {
    const text = this.textOf(key);
    const row = this.#rows.get(text);
    if (row) row.claims.push({ owner, value });
    else this.#rows.set(text, { key, claims: [{ owner, value }] });
    this.#dirty.set(text, key);
  }

  release(owner: string, key: K): void {
    const text = this.textOf(key);
    const row = this.#rows.get(text);
    const at = row?.claims.findIndex((claim) => claim.owner === owner) ?? -1;
    if (!row || at < 0) return;
    row.claims.splice(at, 1);
    if (row.claims.length === 0) this.#rows.delete(text);
    this.#dirty.set(text, key);
  }

  /** Rows that may differ from what the last call returned. */
  takeChanges(): TableChanges<K, V> {
    const changes: TableChanges<K, V> = { upserts: [], deletes: [] };
    for (const [text, key] of this.#dirty) {
      const winner = this.#rows.get(text)?.claims.at(-1);
      if (winner) changes.upserts.push([key, winner.value]);
      else changes.deletes.push(key);
    }
    this.#dirty = new Map();
    return changes;
  }

  *entries(): Generator<[K, V]> {
    for (const row of this.#rows.values()) {
      const winner = row.claims.at(-1);
      if (winner) yield [row.key, winner.value];
    }
  }
}
