/*
 * The map of VTEPs: small indexes that FDB entries and flood lists name, and where the kernel's routing sends packets
 * for each. A row stays without VTEP_VALID while there is no route, but it has the address, so that a restarted agent
 * finds every index again that a pinned FDB entry names.
 */
import { type BpfMap, u32 } from 'libbpf-ts-bindings';
import { canonicalIp, formatAddr, NO_ADDR, parseIp, toAddr } from '../model/addresses.js';
import type { CountersAnswer } from '../model/api.js';
import { PlaitError } from '../model/errors.js';
import { innerMtu, nextHops, type Route } from '../net/underlay.js';
import { readTraffic, zeroCounters } from './counters.js';
import { Packed } from './packed.js';
import { Slots } from './slots.js';
import { type Vtep, VtepFlags, vtepCodec } from './types.gen.js';

/** Index 0 means "no VTEP" to the datapath. */
const FIRST = 1;
/** A row that the kernel has lost. */
const NOT_WRITTEN = '';

export class Vteps {
  readonly #map: BpfMap;
  readonly #counters: BpfMap;
  readonly #packed = new Packed(vtepCodec);
  readonly #rows = new Map<number, string>();
  readonly #indexes = new Map<string, number>();
  readonly #unrouted = new Set<string>();
  readonly #slots: Slots;
  #local: string;

  /** `local` is this node's underlay address. */
  constructor(map: BpfMap, counters: BpfMap, local: string) {
    this.#map = map;
    this.#counters = counters;
    this.#local = local;
    for (const [index, row] of this.#read()) {
      this.#rows.set(index, row);
      this.#indexes.set(formatAddr(this.#packed.unpack(row).remote), index);
    }
    this.#slots = new Slots(FIRST, map.maxEntries, this.#rows.keys());
  }

  /** The address's index, a new one if need be: then without a route until `routeNew`. VTEPS_FULL. */
  index(address: string): number {
    const remote = canonicalIp(address);
    const known = this.#indexes.get(remote);
    if (known !== undefined) return known;
    const index = this.#slots.take();
    if (index === undefined) {
      const limit = this.#map.maxEntries - FIRST;
      throw new PlaitError('VTEPS_FULL', `add vtep ${remote}: this node knows ${limit} already, its most`);
    }
    zeroCounters(this.#counters, index);
    this.#indexes.set(remote, index);
    this.#write(index, rowFor(remote, undefined));
    this.#unrouted.add(remote);
    return index;
  }

  has(address: string): boolean {
    return this.#indexes.has(canonicalIp(address));
  }

  addresses(): string[] {
    return [...this.#indexes.keys()];
  }

  indexes(): number[] {
    return [...this.#rows.keys()];
  }

  addressOf(index: number): string | undefined {
    const row = this.#rows.get(index);
    return row ? formatAddr(this.#packed.unpack(row).remote) : undefined;
  }

  /** Call it when no FDB entry, sender or flood list names the VTEP any more. */
  release(address: string): void {
    const remote = canonicalIp(address);
    const index = this.#indexes.get(remote);
    if (index === undefined) return;
    this.#indexes.delete(remote);
    this.#unrouted.delete(remote);
    this.#rows.delete(index);
    this.#map.update(u32.encode(index), Buffer.alloc(vtepCodec.size));
    this.#slots.release(index);
  }

  /** Looks up the routes of VTEPs that have never been looked up. */
  async routeNew(): Promise<void> {
    if (this.#unrouted.size > 0) await this.#route([...this.#unrouted]);
  }

  /** Looks up all routes again. Returns the addresses that have none. `local` when the node's own has changed. */
  async refresh(local: string = this.#local): Promise<string[]> {
    this.#local = local;
    return this.#route(this.addresses());
  }

  traffic(address: string): CountersAnswer | undefined {
    const index = this.#indexes.get(canonicalIp(address));
    return index === undefined ? undefined : readTraffic(this.#counters, index);
  }

  /**
   * What differs between the addresses and the map in the kernel, as [address, expected, actual]. The mirror is
   * corrected on the way, so that `refresh` can mend it.
   */
  verify(addresses: Iterable<string>): [string, string | null, string | null][] {
    const faults: [string, string | null, string | null][] = [];
    const wanted = new Set([...addresses].map(canonicalIp));
    const actual = this.#read();
    for (const remote of wanted) {
      const index = this.#indexes.get(remote);
      const row = index === undefined ? undefined : actual.get(index);
      if (row === undefined) faults.push([remote, 'present', null]);
      else if (row !== this.#rows.get(index ?? 0)) faults.push([remote, 'as written', 'changed']);
      if (index !== undefined) this.#rows.set(index, row ?? NOT_WRITTEN);
    }
    for (const row of actual.values()) {
      const remote = formatAddr(this.#packed.unpack(row).remote);
      if (!wanted.has(remote)) faults.push([remote, null, 'present']);
    }
    return faults;
  }

  async #route(addresses: readonly string[]): Promise<string[]> {
    const routes = await nextHops(addresses, this.#local);
    const without: string[] = [];
    for (const remote of addresses) {
      const index = this.#indexes.get(remote);
      if (index === undefined) continue; // released meanwhile
      const route = routes.get(remote);
      this.#write(index, rowFor(remote, route));
      this.#unrouted.delete(remote);
      if (!route) without.push(remote);
    }
    return without;
  }

  #write(index: number, vtep: Vtep): void {
    const row = this.#packed.pack(vtep);
    if (this.#rows.get(index) === row) return;
    this.#map.update(u32.encode(index), Buffer.from(row, 'latin1'));
    this.#rows.set(index, row);
  }

  /** The rows that have an address. */
  #read(): Map<number, string> {
    const { keys, values, count } = this.#map.lookupAll();
    const rows = new Map<number, string>();
    for (let at = 0; at < count; at++) {
      const row = this.#packed.at(values, at);
      if (formatAddr(this.#packed.unpack(row).remote) !== '') rows.set(u32.decode(keys, at * u32.size), row);
    }
    return rows;
  }
}

/** The row of a VTEP, with or without a route to it. Pure. */
export function rowFor(remote: string, route: Route | undefined): Vtep {
  const ip = parseIp(remote);
  const family = ip.version === 6 ? VtepFlags.IPV6 : 0;
  if (!route) {
    return { flags: family, ifindex: 0, mtu: 0, remote: toAddr(ip), local: NO_ADDR, nextHop: NO_ADDR };
  }
  return {
    flags: VtepFlags.VALID | family,
    ifindex: route.ifindex,
    mtu: innerMtu(route.mtu, ip.version),
    remote: toAddr(ip),
    local: toAddr(parseIp(route.local)),
    nextHop: toAddr(parseIp(route.nextHop)),
  };
}
