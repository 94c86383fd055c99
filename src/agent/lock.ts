/*
 * One agent per root: two would fight over the same pins. The lock is a file that names its holder by PID and start
 * time, so that one left by a killed agent is not mistaken for a living one, even when its PID is in use again.
 */
import { link, readFile, unlink, writeFile } from 'node:fs/promises';
import { PlaitError } from '../model/errors.js';

export class AgentRunning extends PlaitError {
  constructor(pid: number, path: string) {
    super('AGENT_RUNNING', `start agent: another one runs on this root, PID ${pid} (${path})`, {
      hint: 'stop it first, or use another --root',
    });
  }
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

async function livingHolder(path: string): Promise<number | undefined> {
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
