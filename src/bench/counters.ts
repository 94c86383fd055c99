/* What the kernel counts while a tool measures: processor time, and datagrams that reached a socket. */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';

export const countersSchema = z.object({
  /** Tells two machines from two namespaces of one. */
  bootId: z.string(),
  /** Microseconds of system and softirq time since the machine started, all processors together. */
  cpuMicros: z.number(),
  /** UDP datagrams delivered to sockets of this network namespace. */
  datagramsIn: z.number(),
});
export type Counters = z.infer<typeof countersSchema>;

/** USER_HZ: what /proc/stat counts in, on every architecture that Linux has now. */
const TICKS_PER_SECOND = 100;

/** Of this machine and of the network namespace of this process. */
export async function readCounters(): Promise<Counters> {
  const [bootId, stat, snmp] = await Promise.all(
    ['/proc/sys/kernel/random/boot_id', '/proc/stat', '/proc/net/snmp'].map((file) => readFile(file, 'utf8')),
  );
  return {
    bootId: (bootId ?? '').trim(),
    cpuMicros: kernelMicros(stat ?? ''),
    datagramsIn: datagramsIn(snmp ?? ''),
  };
}

/**
 * System and softirq time of /proc/stat. User time is the applications', which do the same over every way; interrupts
 * proper are the device's.
 */
export function kernelMicros(stat: string): number {
  const [, user, nice, system, idle, iowait, irq, softirq] =
    /^cpu +(\d+) (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)/m.exec(stat) ?? [];
  const ticks = Number(system) + Number(softirq);
  if ([user, nice, idle, iowait, irq].includes(undefined) || Number.isNaN(ticks)) {
    throw new Error('read /proc/stat: it has no line for all processors');
  }
  return (ticks * 1e6) / TICKS_PER_SECOND;
}

/** InDatagrams of /proc/net/snmp: datagrams that a socket took, not those that its full buffer refused. */
export function datagramsIn(snmp: string): number {
  const [names, values] = snmp.split('\n').filter((line) => line.startsWith('Udp:'));
  const column = names?.split(' ').indexOf('InDatagrams') ?? -1;
  const value = Number(values?.split(' ')[column]);
  if (column < 0 || Number.isNaN(value)) throw new Error('read /proc/net/snmp: it has no InDatagrams of UDP');
  return value;
}
