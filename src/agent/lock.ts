/*
 * One agent per root: two would fight over the same pins. The lock is a file that names its holder by PID and start
 * time, so that one left by a killed agent is not mistaken for a living one, even when its PID is in use again.
 *
 * And one agent per network namespace, whatever its root: a second one would take the first one's interfaces for
 * leftovers. That lock is an abstract socket: the kernel keeps those per network namespace, and ends them with the
 * process.
 */
import { link, readFile, unlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { PlaitError } from '../model/errors.js';

export class AgentRunning extends PlaitError {
  constructor(pid: number, path: string) {
    super('AGENT_RUNNING', `start agent: another one runs on this root, PID ${pid} (${path})`, {
      hint: 'stop it first, or use another --root',
    });
  }
}

export class NetworkTaken extends PlaitError {
  constructor() {
    super('NETWORK_TAKEN', 'start agent: another one, with another --root, runs in this network namespace', {
      hint: 'stop it first, or start this one in a network namespace of its own (ip netns exec)',
    });
  }
}

const networkLock = '\0plait-agent';

/** Takes the network namespace that this process is in, and returns what gives it back. */
export async function lockNetwork(): Promise<() => Promise<void>> {
  const server = createServer((connection) => connection.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(error.code === 'EADDRINUSE' ? new NetworkTaken() : error),
    );
    server.listen({ path: networkLock }, resolve);
  });
  server.unref();
  return () => new Promise((resolve) => server.close(() => resolve()));
}

/**
 * Fields 3 and 22 of /proc/PID/stat, counted behind the command name, which may contain anything. Undefined also for
 * a killed process whose parent has not looked yet.
 */
async function startTime(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields === undefined || fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
}

/** PID of who holds the lock of a root. */
export async function livingHolder(path: string): Promise<number | undefined> {
  const [pid, started] = (await readFile(path, 'utf8').catch(() => '')).trim().split(' ');
  if (!pid || !started) return undefined;
  return (await startTime(Number(pid))) === started ? Number(pid) : undefined;
}

/** Takes the lock and returns what gives it back. */
export async function lockRoot(path: string): Promise<() => Promise<void>> {
  const mine = `${path}.${process.pid}`;
  await writeFile(mine, `${process.pid} ${await startTime(process.pid)}\n`, { mode: 0o600 });
  try {
    for (;;) {
      const taken = await link(mine, path).then(
        () => true,
        (error: NodeJS.ErrnoException) => {
          if (error.code === 'EEXIST') return false;
          throw error;
        },
      );
      if (taken) return () => unlink(path);
      const holder = await livingHolder(path);
      if (holder !== undefined) throw new AgentRunning(holder, path);
      await unlink(path).catch(() => undefined);
    }
  } finally {
    await unlink(mine);
  }
}
