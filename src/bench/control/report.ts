/* The result of a run for a person's eyes. Pure. */
import { formatLines } from '../../output/table.js';
import type { ControlResult, Spread } from './result.js';

export function reportText(result: ControlResult): string {
  const { options, start, audience, agents, etcd, machine } = result;
  const { agents: count, networks, endpoints, rate, seconds } = options;
  const title =
    `${count} agents on ${networks} networks, ${endpoints} endpoints of which ${rate} per second are replaced for ` +
    `${seconds} s;\neach is seen by ${range(audience)} other agents\n`;
  const milliseconds = [
    ['MILLISECONDS', 'P50', 'P99', 'MAX', 'SAMPLES'],
    spreadLine('attach → stored in etcd', result.stored),
    spreadLine('attach → visible in maps', result.visible),
    ['start of an agent', ms(start.each.p50), ms(start.each.p99), ms(start.each.max), `${start.each.count}`],
    ['wait for a busy process', ms(agents.lag.p50), ms(agents.lag.p99), ms(agents.lag.max), '-'],
  ];
  const loads = [
    ['attached, detached', `${result.attached}, ${result.detached}`],
    ['not seen, maps not right', `${result.missing}, ${result.wrong}`],
    [
      'start of all agents',
      `${(start.allMs / 1000).toFixed(1)} s, etcd's CPU ${start.etcdCpuSeconds.toFixed(1)} s`,
    ],
    ['agents per process', `${agents.perProcess} in each of ${options.processes}`],
    [
      'agents: CPU',
      `${agents.cpu.toFixed(2)} cores, ${agents.cpuPerChangeMs.toFixed(2)} ms per change and agent`,
    ],
    ['agents: resident', `${mib(agents.residentBytesEach)} each, the runtime shared by ${agents.perProcess}`],
    ['etcd: CPU', `${etcd.cpu.toFixed(2)} cores`],
    ['etcd: requests', `${requests(etcd.requests)} per second`],
    [
      'etcd: watches',
      `${etcd.watchers} in ${etcd.watchStreams} streams, ${etcd.eventsPerSecond.toFixed(0)} events/s`,
    ],
    ['etcd: memory, data', `${mib(etcd.residentBytes)} resident, ${mib(etcd.databaseBytes)} on disk`],
    ['etcd: write of its log', `${etcd.fsyncMs.toFixed(2)} ms, mean`],
    [
      'machine',
      `${machine.cpus} × ${machine.processor}, ${percent(result.machineBusy)} busy, Linux ${machine.kernel}`,
    ],
  ];
  const tables = [formatLines(milliseconds, [false, true, true, true, true]), formatLines(loads)];
  return [title, ...tables, ...memoryText(result), ...failuresText(result)].join('\n');
}

function memoryText({ memory }: ControlResult): string[] {
  if (!memory) return [];
  const line = (what: string, bytes: number): string[] => [what, bytes.toFixed(0)];
  const lines = [
    [`BYTES PER ENDPOINT, OF ${memory.endpoints}`, ''],
    line('heap of the agent, live', memory.heap),
    line('resident, as it is', memory.resident),
    line('resident, after a collection', memory.residentAfter),
    line("kernel's maps", memory.kernel),
  ];
  return [formatLines(lines, [false, true])];
}

function failuresText({ failures }: ControlResult): string[] {
  if (failures.length === 0) return [];
  return [`${failures.length} requests failed, the first one: ${failures[0]}\n`];
}

function spreadLine(what: string, { p50, p99, max, count }: Spread): string[] {
  return [what, ms(p50), ms(p99), ms(max), String(count)];
}

function requests(calls: ControlResult['etcd']['requests']): string {
  return Object.entries(calls)
    .map(([kind, rate]) => `${rate.toFixed(0)} ${kind}`)
    .join(', ');
}

function range({ min, max }: { min: number; max: number }): string {
  return min === max ? String(min) : `${min}–${max}`;
}

const ms = (value: number): string => value.toFixed(1);
const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
const percent = (share: number): string => `${(share * 100).toFixed(0)} %`;
