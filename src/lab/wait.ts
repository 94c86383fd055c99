import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 20;
/** How many times slower than a machine of its own the one here is: an emulated processor, as a rule. */
const TIME_FACTOR = Number(process.env.PLAIT_TEST_TIME_FACTOR || 1);

/** A limit that was stated for a machine of ordinary speed, in the time of this one. */
export const patience = (milliseconds: number): number => milliseconds * TIME_FACTOR;

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
    await sleep(POLL_MS);
  }
}
