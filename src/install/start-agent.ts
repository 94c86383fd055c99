/*
 * The agent of a host that has just become a member of a cluster: by systemd where that runs the machine, by this process
 * elsewhere, in the background. Its settings are in the host's `cluster.json`, so that starting it needs no options.
 */
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { livingHolder } from '../agent/lock.js';
import { AgentClient } from '../client.js';
import { PlaitError } from '../model/errors.js';
import { type Paths, pathsFor } from '../model/paths.js';
import { patience } from '../patience.js';
import { installService, packagedUnit } from './service.js';
import { isRunning, systemctl } from './systemd.js';
import { UNIT } from './unit.js';

/** Of an agent in the background to answer. */
const START_MS = patience(60_000);
const STOP_MS = patience(30_000);
const POLL_MS = 50;

export interface StartedAgent {
  /** Undefined: systemd starts it, at each boot too. */
  readonly background?: { readonly pid: number; readonly log: string };
}

/** @param command what starts `plait`: interpreter and script */
export async function startAgentOf(
  root: string | undefined,
  command: readonly string[],
): Promise<StartedAgent> {
  if (root === undefined && isRunning()) {
    await startService(command);
    return {};
  }
  const paths = pathsFor(root);
  const log = join(paths.state, 'agent.log');
  const words = [...command.slice(1), 'agent', ...(root === undefined ? [] : ['--root', root])];
  const pid = await startInBackground(command[0] ?? '', words, paths, log);
  return { background: { pid, log } };
}

/** Nothing happens where none runs. */
export async function stopAgentOf(root: string | undefined): Promise<void> {
  if (root === undefined && isRunning()) {
    await systemctl(['stop', UNIT], `stop ${UNIT}`).catch(() => undefined); // it may not be installed
  }
  const lock = join(pathsFor(root).state, 'agent.lock');
  const holder = await livingHolder(lock);
  if (holder === undefined) return;
  process.kill(holder, 'SIGTERM');
  for (const end = Date.now() + STOP_MS; Date.now() < end; await sleep(POLL_MS)) {
    if ((await livingHolder(lock)) !== holder) return;
  }
  throw new PlaitError('AGENT_RUNNING', `stop agent: PID ${holder} does not end`, {
    hint: 'end it, and try again',
  });
}

async function startService(command: readonly string[]): Promise<void> {
  if (packagedUnit() === undefined) {
    await installService(command, {});
    return;
  }
  await systemctl(['--quiet', 'enable', UNIT], `start ${UNIT}`);
  await systemctl(['restart', UNIT], `start ${UNIT}`);
}

async function startInBackground(
  program: string,
  words: readonly string[],
  paths: Paths,
  log: string,
): Promise<number> {
  const output = openSync(log, 'a', 0o600);
  const child = spawn(program, words, { detached: true, stdio: ['ignore', output, output] });
  closeSync(output);
  child.on('error', () => undefined); // no PID then, which is told here
  if (child.pid === undefined) throw new PlaitError('AGENT_FAILED', `start agent: cannot run ${program}`);
  const client = new AgentClient(paths.socket);
  for (const end = Date.now() + START_MS; Date.now() < end; await sleep(POLL_MS)) {
    if (child.exitCode !== null || child.signalCode !== null) throw await ended(log);
    if (await answers(client)) {
      child.unref();
      return child.pid;
    }
  }
  child.unref();
  throw new PlaitError('AGENT_FAILED', `start agent: it does not answer (PID ${child.pid})`, {
    hint: `see ${log}`,
  });
}

function answers(client: AgentClient): Promise<boolean> {
  return client.get('/v1/status').then(
    () => true,
    () => false,
  );
}

async function ended(log: string): Promise<PlaitError> {
  const lines = (await readFile(log, 'utf8').catch(() => '')).trim().split('\n');
  const [said = 'it ended at once', hint] = lines
    .filter((line) => /^(plait|hint): /.test(line))
    .slice(-2)
    .map((line) => line.replace(/^(plait|hint): /, ''));
  return new PlaitError('AGENT_FAILED', `start agent: ${said}`, {
    hint: `${hint ?? `see ${log}`}; then \`plait agent\`, or \`plait leave --force\` to begin again`,
  });
}
