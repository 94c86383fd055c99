/** How people name records: the whole id, the name, or a prefix of the id that fits one record only. */
import { Ambiguous, NotFound } from './errors.js';

interface Named {
  readonly id: string;
  readonly name: string;
}

/**
 * The record that `ref` means. A whole id wins over a name, a name over an id prefix.
 * Throws NotFound, or Ambiguous with the candidates. `what` is the noun of the message.
 */
export function resolveRef<T extends Named>(records: Iterable<T>, ref: string, what: string): T {
  const named: T[] = [];
  const prefixed: T[] = [];
  for (const record of records) {
    if (record.id === ref) return record;
    if (record.name === ref) named.push(record);
    else if (ref !== '' && record.id.startsWith(ref)) prefixed.push(record);
  }
  const [only, ...others] = named.length > 0 ? named : prefixed;
  if (!only) throw new NotFound(what, ref);
  if (others.length === 0) return only;
  throw new Ambiguous(what, ref, [only, ...others].map(describe).sort());
}

function describe(record: Named): string {
  return `${record.id.slice(0, 12)} (${record.name})`;
}
