/* A record that several may change at a time: read, changed, and written only if it still is what was read. */
import { StoreConflict } from '../model/errors.js';
import { put, unchanged } from './operations.js';
import type { Entry, Store } from './store.js';

/** Others win a race at most that often before we say so. */
const ATTEMPTS = 20;

/**
 * The record afterwards; undefined where there is none. `change` may return undefined for: as it is. Throws
 * StoreConflict, and what `parse` and `change` throw.
 */
export async function changeEntry<T>(
  store: Store,
  key: string,
  parse: (entry: Entry) => T,
  change: (before: T) => T | undefined,
  doing: string,
): Promise<T | undefined> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const entry = await store.get(key);
    if (entry === undefined) return undefined;
    const before = parse(entry);
    const after = change(before);
    if (after === undefined) return before;
    const { succeeded } = await store.txn(
      [unchanged(key, entry.modRevision)],
      [put(key, JSON.stringify(after))],
    );
    if (succeeded) return after;
  }
  throw new StoreConflict(`${doing}: others change it all the time`);
}
