import { setTimeout as sleep } from 'node:timers/promises';
import { patience } from '../patience.js';

const POLL_MS = 20;

/** Polls until the condition holds, and says what was waited for when it does not in time. */
export async function waitFor(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 10_000,
): Promise<void> {
  const limit = patience(timeoutMs);
  const deadline = performance.now() + limit;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`wait for ${what}: not within ${limit / 1000} s`);
    await sleep(patience(POLL_MS)); // asking has its price, too
  }
}
