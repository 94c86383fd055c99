/* Daemons that outlive the command that started them, and are found again by PID and start time. */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { waitFor } from './wait.js';

export interface Daemon {
  pid: number;
  /** Field 22 of /proc/PID/stat: tells a process from a later one with the same PID. */
  startTime: string;
}

export interface DaemonOptions {
  netns: string;
  log: string;
}

/** How long a daemon may take to end by itself before it is killed. */
const GRACE_MS = 5000;

/** Starts a program in a network namespace, detached, with its output appended to a log. */
export function startDaemon(argv: readonly string[], options: DaemonOptions): Daemon {
  const log = openSync(options.log, 'a');
  try {
    const child = spawn('nsenter', [`--net=${options.netns}`, '--', ...argv], {
      detached: true,
      stdio: ['ignore', log, log],
    });
    child.on('error', () => {}); // no PID then, which is reported here
    if (child.pid === undefined) throw new Error(`start ${argv[0]}: nsenter is not installed`);
    child.unref();
    return { pid: child.pid, startTime: startTimeOf(child.pid) ?? '' };
  } finally {
    closeSync(log);
  }
}

/** A daemon that somebody else started, by the PID that it wrote down. */
export function daemonOf(pid: number): Daemon {
  return { pid, startTime: startTimeOf(pid) ?? '' };
}

export function isRunning(daemon: Daemon): boolean {
  return startTimeOf(daemon.pid) === daemon.startTime;
}

/** Sends one signal; for SIGKILL waits until the process is gone. */
export async function signal(daemon: Daemon, name: NodeJS.Signals): Promise<void> {
  if (!isRunning(daemon)) return;
  process.kill(daemon.pid, name);
  if (name === 'SIGKILL') await waitFor(`process ${daemon.pid} to end`, () => !isRunning(daemon), GRACE_MS);
}

/** Ends a daemon: asks, waits, insists. */
export async function stopDaemon(daemon: Daemon): Promise<void> {
  if (!isRunning(daemon)) return;
  process.kill(daemon.pid, 'SIGTERM');
  try {
    await waitFor(`process ${daemon.pid} to end`, () => !isRunning(daemon), GRACE_MS);
  } catch {
    await signal(daemon, 'SIGKILL');
  }
}

/** Undefined when there is no such process; a zombie has ended too. */
function startTimeOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command's name may hold spaces and brackets: fields are counted from its last bracket.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}
