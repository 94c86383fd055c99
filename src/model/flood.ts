/**
 * Who gets a network's broadcasts: its endpoints here, and every VTEP that has one. A VTEP is counted once per
 * endpoint, so that the first one adds it to the flood list and to the allowed senders and the last one takes it
 * away, in O(1); only a list whose members changed is written again.
 */
import { type Addr, parseIp, toAddr } from './addresses.js';
import { ClaimTable } from './claims.js';
import type { Attachment, FloodMember, Sender, SenderKey, TableChanges } from './rows.js';

interface Vtep {
  readonly address: string;
  readonly index: number;
  readonly addr: Addr;
  endpoints: number;
}

interface Members {
  /** By endpoint id. */
  readonly local: Map<string, Attachment>;
  /** By the VTEP's index. */
  readonly remote: Map<number, { readonly vtep: Vtep; endpoints: number }>;
}

const OWNER = 'flood';

export class Flood {
  readonly senders = new ClaimTable<SenderKey, Sender>((key) => `${key.vni}/${key.addr.w.join('.')}`);
  readonly #vteps = new Map<string, Vtep>();
  readonly #networks = new Map<number, Members>();
  #dirty = new Set<number>();
  #vtepsVersion = 0;

  constructor(readonly vtepIndex: (address: string) => number) {}

  addLocal(vni: number, endpoint: string, attachment: Attachment): void {
    this.#members(vni).local.set(endpoint, attachment);
    this.#dirty.add(vni);
  }

  removeLocal(vni: number, endpoint: string): void {
    if (!this.#networks.get(vni)?.local.delete(endpoint)) return;
    this.#dirty.add(vni);
    this.#dropIfEmpty(vni);
  }

  /** One more endpoint of the VNI at that VTEP; returns the VTEP's index. */
  addRemote(vni: number, address: string): number {
    const vtep = this.#vteps.get(address) ?? this.#newVtep(address);
    vtep.endpoints += 1;
    const { remote } = this.#members(vni);
    const member = remote.get(vtep.index);
    if (member) {
      member.endpoints += 1;
      return vtep.index;
    }
    remote.set(vtep.index, { vtep, endpoints: 1 });
    this.senders.claim(OWNER, { vni, addr: vtep.addr }, { vtep: vtep.index });
    this.#dirty.add(vni);
    return vtep.index;
  }

  /** One endpoint less at the VTEP with that index. */
  removeRemote(vni: number, index: number): void {
    const member = this.#networks.get(vni)?.remote.get(index);
    if (!member) return;
    const { vtep } = member;
    vtep.endpoints -= 1;
    member.endpoints -= 1;
    if (member.endpoints === 0) {
      this.#networks.get(vni)?.remote.delete(index);
      this.senders.release(OWNER, { vni, addr: vtep.addr });
      this.#dirty.add(vni);
      this.#dropIfEmpty(vni);
    }
    if (vtep.endpoints > 0) return;
    this.#vteps.delete(vtep.address);
    this.#vtepsVersion += 1;
  }

  /** Counts the changes of `vteps`. */
  get vtepsVersion(): number {
    return this.#vtepsVersion;
  }

  /** Remote VTEPs that some live network needs, and their indexes. */
  vteps(): Map<string, number> {
    return new Map(Array.from(this.#vteps, ([address, vtep]) => [address, vtep.index]));
  }

  takeChanges(): TableChanges<number, FloodMember[]> {
    const changes: TableChanges<number, FloodMember[]> = { upserts: [], deletes: [] };
    for (const vni of this.#dirty) {
      const members = this.#networks.get(vni);
      if (members) changes.upserts.push([vni, listOf(members)]);
      else changes.deletes.push(vni);
    }
    this.#dirty = new Set();
    return changes;
  }

  *entries(): Generator<[number, FloodMember[]]> {
    for (const [vni, members] of this.#networks) yield [vni, listOf(members)];
  }

  #newVtep(address: string): Vtep {
    const vtep = { address, index: this.vtepIndex(address), addr: toAddr(parseIp(address)), endpoints: 0 };
    this.#vteps.set(address, vtep);
    this.#vtepsVersion += 1;
    return vtep;
  }

  #members(vni: number): Members {
    const known = this.#networks.get(vni);
    if (known) return known;
    const members: Members = { local: new Map(), remote: new Map() };
    this.#networks.set(vni, members);
    return members;
  }

  #dropIfEmpty(vni: number): void {
    const members = this.#networks.get(vni);
    if (members && members.local.size === 0 && members.remote.size === 0) this.#networks.delete(vni);
  }
}

/** Ordered, so that equal memberships are equal lists whatever the order of events. */
function listOf(members: Members): FloodMember[] {
  const local = Array.from(members.local.values(), ({ ifindex, slot }) => ({ ifindex, slot }));
  const remote = Array.from(members.remote.keys(), (slot) => ({ ifindex: 0, slot }));
  return [...local.sort((a, b) => a.ifindex - b.ifindex), ...remote.sort((a, b) => a.slot - b.slot)];
}
