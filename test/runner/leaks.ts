// What tests must not leave on the machine: namespaces, links, mounts, pins, lab state, processes.
//
// Processes are recognised by a variable in their environment that the runner sets and every descendant inherits,
// however it was started. The rest is a comparison of before and after.

import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Marker {
  name: string;
  value: string;
}

export interface Footprint {
  namespaces: Set<string>;
  links: Set<string>;
  mounts: Set<string>;
  files: Set<string>;
}

/** The kernel dismantles a namespace and its links a moment after the last reference is gone. */
const SETTLE_MS = 3000;
const BPFFS = '/sys/fs/bpf';
const LAB_STATE = '/run/plait-lab';

export function footprint(): Footprint {
  return {
    namespaces: new Set(list('/run/netns')),
    links: new Set(list('/sys/class/net')),
    mounts: new Set(mountPoints()),
    files: new Set([...list(BPFFS, true), ...list(LAB_STATE, true)]),
  };
}

export async function describeLeaks(before: Footprint, marker: Marker): Promise<string[]> {
  const deadline = Date.now() + SETTLE_MS;
  for (;;) {
    const leaks = [
      ...added(before.namespaces, footprint().namespaces).map((name) => `namespace ${name}`),
      ...added(before.links, footprint().links).map((name) => `link ${name}`),
      ...added(before.mounts, footprint().mounts).map((path) => `mount ${path}`),
      ...added(before.files, footprint().files).map((path) => `file ${path}`),
      ...markedProcesses(marker).map(({ pid, command }) => `process ${pid} (${command})`),
    ];
    if (leaks.length === 0 || Date.now() > deadline) return leaks;
    await sleep(100);
  }
}

/** Only what is certainly a test's own is removed; the rest may be somebody's who works on the same machine. */
export function killLeaked(marker: Marker): void {
  for (const { pid } of markedProcesses(marker)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended by itself in the meantime.
    }
  }
}

function added(before: Set<string>, after: Set<string>): string[] {
  return [...after].filter((entry) => !before.has(entry));
}

function list(dir: string, recursive = false): string[] {
  try {
    const names = readdirSync(dir, { recursive, encoding: 'utf8' });
    return recursive ? names.map((name) => `${dir}/${name}`) : names;
  } catch {
    return [];
  }
}

/** A mounted /sys/fs/bpf is the normal state of a Linux machine, and so is /run/netns with its namespaces. */
function mountPoints(): string[] {
  return readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((path) => path !== '' && path !== BPFFS && !path.startsWith('/run/netns'));
}

function markedProcesses(marker: Marker): { pid: number; command: string }[] {
  const wanted = `${marker.name}=${marker.value}`;
  return list('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && pid !== process.pid && environmentOf(pid).includes(wanted))
    .map((pid) => ({ pid, command: commandOf(pid) }));
}

/** Empty for a process that has ended, a zombie or a kernel thread. */
function environmentOf(pid: number): string[] {
  return read(`/proc/${pid}/environ`).split('\0');
}

function commandOf(pid: number): string {
  return read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim().slice(0, 80);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
