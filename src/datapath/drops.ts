/* Drop and event counters, and the samples of dropped packets that the datapath puts into its ring buffer. */
import { type BpfMap, ringBuffer } from 'libbpf-ts-bindings';
import type { CounterAnswer, DropAnswer, DropsAnswer } from '../model/api.js';
import { readCount } from './counters.js';
import { summarize } from './frame.js';
import {
  type CounterName,
  DROP_NAMES,
  dropDescription,
  EVENT_NAMES,
  eventDescription,
  HOOK_NAMES,
} from './reasons.js';
import { type DropEvent, dropEventCodec } from './types.gen.js';

/** One line about a dropped packet beside what the API promises. */
export interface DropSample extends DropAnswer {
  /** Addresses, protocol and ports, as far as the sample goes. */
  readonly summary: string;
}

/** Reason 0 is none, and stays out. */
export function readDrops(drops: BpfMap, events: BpfMap): DropsAnswer {
  const all = readCounters(drops, DROP_NAMES, dropDescription);
  return { drops: all.slice(1), events: readCounters(events, EVENT_NAMES, eventDescription) };
}

function readCounters(
  map: BpfMap,
  names: readonly CounterName[],
  describe: (name: CounterName) => string,
): CounterAnswer[] {
  return names.map((name, slot) => ({ name, description: describe(name), ...readCount(map, slot) }));
}

/**
 * Calls back for every sample until closed. There is one ring for the machine: samples go to whoever reads first, so
 * the agent reads it once and fans out.
 */
export function followDrops(
  map: BpfMap,
  deviceName: (ifindex: number) => string | null,
  onDrop: (drop: DropSample) => void,
): { close(): void } {
  return ringBuffer(map, (record) => {
    if (record.length < dropEventCodec.size) return;
    onDrop(sampleOf(dropEventCodec.decode(record), deviceName));
  });
}

function sampleOf(event: DropEvent, deviceName: (ifindex: number) => string | null): DropSample {
  const reason = DROP_NAMES[event.reason] ?? `reason-${event.reason}`;
  const head = event.head.subarray(0, Math.min(event.captured, event.head.length));
  return {
    time: wallClock(event.timeNs).toISOString(),
    reason,
    description: dropDescription(reason),
    hook: HOOK_NAMES[event.hook] ?? `hook-${event.hook}`,
    ifindex: event.ifindex,
    ifname: deviceName(event.ifindex),
    vni: event.vni,
    length: event.len,
    head: Buffer.from(head).toString('hex'),
    summary: summarize(head),
  };
}

/** The kernel's stamps are of CLOCK_MONOTONIC, which is what process.hrtime reads. */
function wallClock(monotonicNs: bigint): Date {
  const agoMs = Number(process.hrtime.bigint() - monotonicNs) / 1e6;
  return new Date(Date.now() - agoMs);
}
