/*
 * The places of one flood list, as bytes in a one-byte string: members of eight bytes, zeroes where nobody is. Pure.
 *
 * A member stays in its place for as long as it is a member, because frames are being copied along the list while it
 * is written: one that moved could be skipped or served twice. Only a list that is full, or far too big, is laid out
 * anew; it then becomes another array, which frames see whole or not at all.
 */
import { floodMemberCodec } from './types.gen.js';

const SIZE = floodMemberCodec.size;
export const NOBODY = '\0'.repeat(SIZE);

const SMALLEST = 8;
/** A list is laid out anew when fewer than one in so many places is taken: it walks mostly empty ones then. */
const SPARSE = 8;

export interface Rewrite {
  /** The whole list afterwards. */
  readonly list: string;
  /** What changed, by place; undefined when the list needs another array. */
  readonly places: ReadonlyMap<number, string> | undefined;
}

/** Every place of a list, in order. */
export function placesOf(list: string): string[] {
  return Array.from({ length: list.length / SIZE }, (_, at) => list.slice(at * SIZE, (at + 1) * SIZE));
}

/** The members alone, sorted: equal for equal memberships, whatever their places. */
export function membersOf(list: string): string[] {
  return placesOf(list)
    .filter((place) => place !== NOBODY)
    .sort();
}

/** The list with these members, of which each is there once. */
export function rewrite(list: string, members: ReadonlySet<string>): Rewrite {
  const places = placesOf(list);
  if (members.size > places.length || isSparse(places.length, members.size)) {
    return { list: laidOut(members), places: undefined };
  }
  const changed = new Map<number, string>();
  const waiting = new Set(members);
  places.forEach((place, at) => {
    if (!waiting.delete(place) && place !== NOBODY) changed.set(at, NOBODY);
  });
  const joining = waiting.values();
  places.forEach((place, at) => {
    if (place !== NOBODY && !changed.has(at)) return;
    const next = joining.next();
    if (!next.done) changed.set(at, next.value);
  });
  for (const [at, place] of changed) places[at] = place;
  return { list: places.join(''), places: changed };
}

function isSparse(capacity: number, members: number): boolean {
  return capacity > SMALLEST && members < capacity / SPARSE;
}

/** One after another in the smallest power of two that holds them. */
function laidOut(members: ReadonlySet<string>): string {
  let capacity = SMALLEST;
  while (capacity < members.size) capacity *= 2;
  return [...members].join('').padEnd(capacity * SIZE, NOBODY);
}
