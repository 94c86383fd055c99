/** How people name records: the whole id, the name, or a prefix of the id that fits one record only. */
import { Ambiguous, NotFound } from './errors.js';

interface Named {
  readonly id: string;
  readonly name: string;
}

/**
 * The record with exactly that id or name, if there is one; throws Ambiguous when several have the name. For records
 * that are only some of all: among those, a prefix of an id could hide the name of one that is not there.
 */
export function findExact<T extends Named>(records: Iterable<T>, ref: string, what: string): T | undefined {
  const named: T[] = [];
  for (const record of records) {
    if (record.id === ref) return record;
    if (record.name === ref) named.push(record);
  }
  if (named.length > 1) throw new Ambiguous(what, ref, named.map(describe).sort());
  return named[0];
}

/**
 * The record that `ref` means. A whole id wins over a name, a name over an id prefix.
 * Throws NotFound, or Ambiguous with the candidates. `what` is the noun of the message.
 */
export function resolveRef<T extends Named>(records: Iterable<T>, ref: string, what: string): T {
  const all = [...records];
  const exact = findExact(all, ref, what);
  if (exact) return exact;
  const [only, ...others] = ref === '' ? [] : all.filter(({ id }) => id.startsWith(ref));
  if (!only) throw new NotFound(what, ref);
  if (others.length === 0) return only;
  throw new Ambiguous(what, ref, [only, ...others].map(describe).sort());
}

function describe(record: Named): string {
  return `${record.id.slice(0, 12)} (${record.name})`;
}
