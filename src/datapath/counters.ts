/* Per-CPU counters: summed when they are read. */
import { type BpfMap, type Codec, u32 } from 'libbpf-ts-bindings';
import type { CountersAnswer } from '../model/api.js';
import { counterCodec, trafficCodec } from './types.gen.js';

export interface Count {
  packets: number;
  bytes: number;
}

export function readTraffic(map: BpfMap, slot: number): CountersAnswer {
  const total = { rxPackets: 0, rxBytes: 0, txPackets: 0, txBytes: 0, drops: 0 };
  for (const cpu of perCpu(map, slot, trafficCodec)) {
    total.rxPackets += Number(cpu.rxPackets);
    total.rxBytes += Number(cpu.rxBytes);
    total.txPackets += Number(cpu.txPackets);
    total.txBytes += Number(cpu.txBytes);
    total.drops += Number(cpu.drops);
  }
  return total;
}

export function readCount(map: BpfMap, slot: number): Count {
  const total = { packets: 0, bytes: 0 };
  for (const cpu of perCpu(map, slot, counterCodec)) {
    total.packets += Number(cpu.packets);
    total.bytes += Number(cpu.bytes);
  }
  return total;
}

/** A packet in flight may still count on top of the zero. */
export function zeroCounters(map: BpfMap, slot: number): void {
  const key = u32.encode(slot);
  map.update(key, Buffer.alloc(map.lookup(key)?.length ?? 0));
}

/** The kernel hands out one value per possible CPU, each rounded up to 8 bytes. */
function perCpu<T>(map: BpfMap, slot: number, codec: Codec<T>): T[] {
  const bytes = map.lookup(u32.encode(slot)) ?? Buffer.alloc(0);
  const stride = Math.ceil(codec.size / 8) * 8;
  return Array.from({ length: bytes.length / stride }, (_, cpu) => codec.decode(bytes, cpu * stride));
}
