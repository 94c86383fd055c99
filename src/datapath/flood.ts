/*
 * Flood lists: an outer map from VNI to an array of exactly as many members as the list has. A list is never changed
 * in place: a new array is filled and swapped in, so that a frame sees the old list or the new one, whole.
 */
import { BpfMap, mapFlags, u32 } from 'libbpf-ts-bindings';
import type { DifferenceAnswer } from '../model/api.js';
import { Packed } from './packed.js';
import type { Applied } from './table.js';
import { type FloodMember, floodMemberCodec } from './types.gen.js';

export class FloodLists {
  readonly #outer: BpfMap;
  readonly #packed = new Packed(floodMemberCodec);
  /** VNI → packed members one after another, sorted: the order means nothing. */
  #lists: Map<number, string>;

  constructor(outer: BpfMap) {
    this.#outer = outer;
    this.#lists = this.#read();
  }

  get size(): number {
    return this.#lists.size;
  }

  vnis(): number[] {
    return [...this.#lists.keys()];
  }

  get(vni: number): FloodMember[] | undefined {
    const list = this.#lists.get(vni);
    return list === undefined ? undefined : this.#members(list);
  }

  /** Replaces lists whole and removes others. An empty list is one that does not exist. */
  apply(
    upserts: Iterable<readonly [number, readonly FloodMember[]]>,
    deletes: Iterable<number> = [],
  ): Applied {
    const gone = new Set(deletes);
    let written = 0;
    let deleted = 0;
    for (const [vni, members] of upserts) {
      gone.delete(vni);
      const list = this.#pack(members);
      if ((this.#lists.get(vni) ?? '') === list) continue;
      if (list === '') deleted += this.#delete(vni);
      else written += this.#set(vni, list);
    }
    for (const vni of gone) deleted += this.#delete(vni);
    return { written, deleted };
  }

  /** Makes the lists exactly these. */
  replace(desired: Iterable<readonly [number, readonly FloodMember[]]>): Applied {
    const wanted = new Map(desired);
    return this.apply(
      wanted,
      this.vnis().filter((vni) => !wanted.has(vni)),
    );
  }

  /** Differences to what the kernel has. The mirror is corrected on the way. */
  verify(desired: Iterable<readonly [number, readonly FloodMember[]]>): DifferenceAnswer[] {
    this.#lists = this.#read();
    const found: DifferenceAnswer[] = [];
    const seen = new Set<number>();
    for (const [vni, members] of desired) {
      seen.add(vni);
      const expected = this.#pack(members);
      const actual = this.#lists.get(vni) ?? '';
      if (expected !== actual) found.push(this.#difference(vni, expected, actual));
    }
    for (const [vni, actual] of this.#lists) {
      if (!seen.has(vni)) found.push(this.#difference(vni, '', actual));
    }
    return found;
  }

  #set(vni: number, list: string): number {
    const count = list.length / floodMemberCodec.size;
    const inner = BpfMap.create({
      type: 'array',
      name: 'flood_list',
      keySize: u32.size,
      valueSize: floodMemberCodec.size,
      maxEntries: count,
      flags: mapFlags.innerMap, // arrays of any length fit the same outer map
    });
    try {
      const keys = Buffer.from(Uint32Array.from({ length: count }, (_, at) => at).buffer);
      inner.updateBatch(keys, Buffer.from(list, 'latin1'), count);
      this.#outer.update(u32.encode(vni), inner);
    } finally {
      inner.close();
    }
    this.#lists.set(vni, list);
    return 1;
  }

  #delete(vni: number): number {
    if (!this.#lists.delete(vni)) return 0;
    this.#outer.delete(u32.encode(vni));
    return 1;
  }

  #read(): Map<number, string> {
    const { keys, values, count } = this.#outer.lookupAll();
    const lists = new Map<number, string>();
    for (let at = 0; at < count; at++) {
      const offset = at * u32.size;
      const inner = BpfMap.fromId(u32.decode(values, offset)); // reading an outer map yields ids
      try {
        lists.set(u32.decode(keys, offset), this.#sorted(inner.lookupAll().values));
      } finally {
        inner.close();
      }
    }
    return lists;
  }

  #pack(members: readonly FloodMember[]): string {
    return members
      .map((member) => this.#packed.pack(member))
      .sort()
      .join('');
  }

  #sorted(values: Buffer): string {
    const count = values.length / floodMemberCodec.size;
    return Array.from({ length: count }, (_, at) => this.#packed.at(values, at))
      .sort()
      .join('');
  }

  #members(list: string): FloodMember[] {
    const bytes = Buffer.from(list, 'latin1');
    const count = bytes.length / floodMemberCodec.size;
    return Array.from({ length: count }, (_, at) =>
      floodMemberCodec.decode(bytes, at * floodMemberCodec.size),
    );
  }

  #difference(vni: number, expected: string, actual: string): DifferenceAnswer {
    const show = (list: string): string | null =>
      list === '' ? null : this.#members(list).map(memberText).join(', ');
    const problem = actual === '' ? 'missing' : expected === '' ? 'extra' : 'different';
    return { table: 'flood', key: `vni ${vni}`, problem, expected: show(expected), actual: show(actual) };
  }
}

export function memberText({ ifindex, slot }: FloodMember): string {
  return ifindex === 0 ? `vtep ${slot}` : `ifindex ${ifindex}`;
}
