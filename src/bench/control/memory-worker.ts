/*
 * A process with one simulated agent whose big maps are the kernel's, as any agent's are: what it grows by is what
 * endpoints cost an agent. Runs with --expose-gc.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { BpfMap, mapFlags } from 'libbpf-ts-bindings';
import pino from 'pino';
import { fdbEntryCodec, fdbKeyCodec, neighborCodec, neighborKeyCodec } from '../../datapath/types.gen.js';
import { SimulatedAgent } from './agent.js';
import { type Methods, serveCalls } from './calls.js';
import type { AgentSeat } from './worker.js';

const COLLECTIONS = 3;
const RETURN_MS = 3000;
/** As of bpf/lib/maps.h. */
const MAX_ENTRIES = 262_144;

export interface MemoryReading {
  /** MACs that it can send to. */
  readonly reachable: number;
  /** As it is: with what the collector has not collected yet. */
  readonly residentBytes: number;
  /** Live after a collection: V8's heap and the buffers beside it. */
  readonly heapBytes: number;
  /** Resident after that collection. */
  readonly residentAfterBytes: number;
  readonly kernelBytes: number;
}

const maps = {
  fdb: kernelMap(fdbKeyCodec, fdbEntryCodec),
  neighbors: kernelMap(neighborKeyCodec, neighborCodec),
};
let agent: SimulatedAgent | undefined;

const methods = {
  async start({ etcd, agents: [seat] }: { etcd: string; agents: readonly AgentSeat[] }): Promise<void> {
    if (!seat) throw new Error('measure memory: no agent given');
    const log = pino({ level: 'warn' }, pino.destination({ dest: 2, sync: true }));
    agent = new SimulatedAgent({
      etcd,
      log,
      maps,
      node: seat.node,
      networks: seat.networks,
      onReachable: () => undefined,
    });
    await agent.start();
  },

  reachable(): number {
    return agent?.reachable ?? 0;
  },

  async read(): Promise<MemoryReading> {
    const residentBytes = process.memoryUsage().rss;
    // As an agent does when it is left alone, see agent/heap-tidy.ts.
    for (let time = 0; time < COLLECTIONS; time++) {
      globalThis.gc?.();
      await sleep(RETURN_MS);
    }
    const { rss, heapUsed, external } = process.memoryUsage();
    return {
      reachable: agent?.reachable ?? 0,
      residentBytes,
      heapBytes: heapUsed + external,
      residentAfterBytes: rss,
      kernelBytes: Object.values(maps).reduce((sum, map) => sum + kernelBytesOf(map), 0),
    };
  },

  async stop(): Promise<void> {
    await agent?.close();
    for (const map of Object.values(maps)) map.close();
  },
} satisfies Methods;

export type MemoryMethods = typeof methods;

function kernelMap(key: { readonly size: number }, value: { readonly size: number }): BpfMap {
  return BpfMap.create({
    type: 'hash',
    name: 'plait_bench',
    keySize: key.size,
    valueSize: value.size,
    maxEntries: MAX_ENTRIES,
    flags: mapFlags.noPrealloc,
  });
}

/** What the kernel says a map takes; exact since Linux 6.4, before that what a full one would. */
function kernelBytesOf(map: BpfMap): number {
  const text = readFileSync(`/proc/self/fdinfo/${map.fd}`, 'utf8');
  return Number(/^memlock:\s*(\d+)/m.exec(text)?.[1] ?? 0);
}

serveCalls(methods);
