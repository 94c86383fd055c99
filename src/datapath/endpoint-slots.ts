/* Counter slots of local endpoints. Who has which stands in the endpoints map, so a restart loses none. */
import type { BpfMap } from 'libbpf-ts-bindings';
import type { CountersAnswer } from '../model/api.js';
import { PlaitError } from '../model/errors.js';
import { readTraffic, zeroCounters } from './counters.js';
import { Slots } from './slots.js';
import type { Table } from './table.js';
import type { Endpoint } from './types.gen.js';

export class EndpointSlots {
  readonly #endpoints: Table<number, Endpoint>;
  readonly #counters: BpfMap;
  readonly #slots: Slots;
  readonly #byIfindex = new Map<number, number>();
  /** Holders from before this agent, who may be gone without anybody having said so. */
  #recovered: number[];

  constructor(endpoints: Table<number, Endpoint>, counters: BpfMap) {
    this.#endpoints = endpoints;
    this.#counters = counters;
    for (const [ifindex, { slot }] of endpoints.entries()) {
      if (slot < counters.maxEntries) this.#byIfindex.set(ifindex, slot); // the map was bigger: it gets another
    }
    this.#recovered = [...this.#byIfindex.keys()];
    this.#slots = new Slots(0, counters.maxEntries, this.#byIfindex.values());
  }

  /** The slot of the endpoint with that host end; a new one counts from zero. ENDPOINTS_FULL when there is none left. */
  of(ifindex: number): number {
    const known = this.#byIfindex.get(ifindex);
    if (known !== undefined) return known;
    const slot = this.#slots.take() ?? this.#reclaim();
    if (slot === undefined) {
      const limit = this.#counters.maxEntries;
      throw new PlaitError('ENDPOINTS_FULL', `attach endpoint: this node has ${limit} already, its most`);
    }
    zeroCounters(this.#counters, slot);
    this.#byIfindex.set(ifindex, slot);
    return slot;
  }

  /** Takes back what endpoints without a row have; only those recovered, others may be waiting for theirs. */
  #reclaim(): number | undefined {
    for (const ifindex of this.#recovered) if (!this.#endpoints.has(ifindex)) this.release(ifindex);
    this.#recovered = [];
    return this.#slots.take();
  }

  release(ifindex: number): void {
    const slot = this.#byIfindex.get(ifindex);
    if (slot === undefined) return;
    this.#byIfindex.delete(ifindex);
    this.#slots.release(slot);
  }

  traffic(ifindex: number): CountersAnswer | undefined {
    const slot = this.#byIfindex.get(ifindex);
    return slot === undefined ? undefined : readTraffic(this.#counters, slot);
  }
}
