/*
 * Flood lists: an outer map from VNI to an array of places, some of them empty. Who joins or leaves is written in
 * place, because swapping in another array costs a wait: after every change of a map of maps the kernel lets an RCU
 * grace period pass (8-15 ms) before the system call returns. What a list costs is thus a wait when it appears, when it
 * goes, and when it grows to the double; all others are one map update of some microseconds.
 */
import { BpfMap, mapFlags, u32 } from 'libbpf-ts-bindings';
import type { DifferenceAnswer } from '../model/api.js';
import { membersOf, NOBODY, placesOf, rewrite } from './flood-list.js';
import { Packed } from './packed.js';
import { type Applied, explainFull } from './table.js';
import { type FloodMember, floodMemberCodec } from './types.gen.js';

export class FloodLists {
  readonly #outer: BpfMap;
  readonly #packed = new Packed(floodMemberCodec);
  /** VNI → its places, as in the kernel's array. */
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
    return list === undefined ? undefined : this.#members(membersOf(list));
  }

  /** Gives these lists these members, and removes others. An empty list is one that does not exist. MAP_FULL. */
  apply(
    upserts: Iterable<readonly [number, readonly FloodMember[]]>,
    deletes: Iterable<number> = [],
  ): Applied {
    const gone = new Set(deletes);
    let written = 0;
    let deleted = 0;
    for (const [vni, members] of upserts) {
      gone.delete(vni);
      const packed = this.#pack(members);
      if (packed.size === 0) deleted += this.#delete(vni);
      else written += this.#set(vni, packed);
    }
    for (const vni of gone) deleted += this.#delete(vni);
    return { written, deleted };
  }

  /** Makes the lists exactly these, whatever anybody else did to the maps. */
  replace(desired: Iterable<readonly [number, readonly FloodMember[]]>): Applied {
    this.#lists = this.#read();
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
      const expected = [...this.#pack(members)].sort();
      const actual = membersOf(this.#lists.get(vni) ?? '');
      if (expected.join('') !== actual.join('')) found.push(this.#difference(vni, expected, actual));
    }
    for (const [vni, list] of this.#lists) {
      if (!seen.has(vni)) found.push(this.#difference(vni, [], membersOf(list)));
    }
    return found;
  }

  #set(vni: number, members: ReadonlySet<string>): number {
    const { list, places } = rewrite(this.#lists.get(vni) ?? '', members);
    if (places?.size === 0) return 0;
    try {
      if (!places || !this.#writeInPlace(vni, places)) this.#swapIn(vni, list);
    } catch (error) {
      this.#lists = this.#read();
      throw explainFull('flood', this.#outer.maxEntries, error);
    }
    this.#lists.set(vni, list);
    return 1;
  }

  /** False when somebody took the list away. */
  #writeInPlace(vni: number, places: ReadonlyMap<number, string>): boolean {
    const id = this.#outer.lookup(u32.encode(vni)); // reading an outer map yields ids
    if (!id) return false;
    const inner = BpfMap.fromId(u32.decode(id, 0));
    try {
      write(inner, places);
      return true;
    } finally {
      inner.close();
    }
  }

  #swapIn(vni: number, list: string): void {
    const places = placesOf(list);
    const inner = BpfMap.create({
      type: 'array',
      name: 'flood_list',
      keySize: u32.size,
      valueSize: floodMemberCodec.size,
      maxEntries: places.length,
      flags: mapFlags.innerMap, // arrays of any length fit the same outer map
    });
    try {
      write(inner, new Map(places.entries()));
      this.#outer.update(u32.encode(vni), inner);
    } finally {
      inner.close();
    }
  }

  #delete(vni: number): number {
    if (!this.#lists.has(vni)) return 0;
    this.#outer.delete(u32.encode(vni));
    this.#lists.delete(vni);
    return 1;
  }

  #read(): Map<number, string> {
    const { keys, values, count } = this.#outer.lookupAll();
    const lists = new Map<number, string>();
    for (let at = 0; at < count; at++) {
      const offset = at * u32.size;
      const inner = BpfMap.fromId(u32.decode(values, offset));
      try {
        lists.set(u32.decode(keys, offset), inner.lookupAll().values.toString('latin1'));
      } finally {
        inner.close();
      }
    }
    return lists;
  }

  #pack(members: readonly FloodMember[]): Set<string> {
    const packed = new Set(members.map((member) => this.#packed.pack(member)));
    packed.delete(NOBODY);
    return packed;
  }

  #members(packed: readonly string[]): FloodMember[] {
    return packed.map((member) => this.#packed.unpack(member));
  }

  #difference(vni: number, expected: readonly string[], actual: readonly string[]): DifferenceAnswer {
    const show = (members: readonly string[]): string | null =>
      members.length === 0 ? null : this.#members(members).map(memberText).join(', ');
    const problem = expected.length === 0 ? 'extra' : actual.length === 0 ? 'missing' : 'different';
    return { table: 'flood', key: `vni ${vni}`, problem, expected: show(expected), actual: show(actual) };
  }
}

function write(inner: BpfMap, places: ReadonlyMap<number, string>): void {
  const keys = Buffer.from(Uint32Array.from(places.keys()).buffer);
  inner.updateBatch(keys, Buffer.from([...places.values()].join(''), 'latin1'), places.size);
}

export function memberText({ ifindex, slot }: FloodMember): string {
  return ifindex === 0 ? `vtep ${slot}` : `ifindex ${ifindex}`;
}
