/* What is asked of systemd, by systemctl. */
import { existsSync } from 'node:fs';
import { run } from '../net/run.js';
import { START_LIMIT_S } from './unit.js';

/** Milliseconds. A start waits until the agent answers, and systemd for that as long as the unit says. */
const patience = (START_LIMIT_S + 10) * 1000;

/** Whether systemd runs this machine, as sd_booted(3) finds out. */
export function isRunning(): boolean {
  return existsSync('/run/systemd/system');
}

export async function systemctl(words: readonly string[], doing: string): Promise<string> {
  return run('systemctl', words, { doing, timeout: patience });
}

export async function isEnabled(unit: string): Promise<boolean> {
  if (!isRunning()) return false;
  const answer = await run('systemctl', ['is-enabled', unit], { doing: `look at ${unit}`, partial: true });
  return answer.trim() === 'enabled';
}
