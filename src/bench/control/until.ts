/* Waiting for other processes. */
import { setTimeout as sleep } from 'node:timers/promises';
import { PlaitError } from '../../model/errors.js';
import { patience } from '../../patience.js';

const POLL_MS = 50;

/** Polls until it is so. Throws BENCH_FAILED when that takes too long, the signal's reason when it is aborted. */
export async function until(
  what: string,
  isSo: () => boolean | Promise<boolean>,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<void> {
  const limit = patience(timeoutMs);
  const deadline = performance.now() + limit;
  while (!(await isSo())) {
    if (performance.now() > deadline) {
      throw new PlaitError('BENCH_FAILED', `wait for ${what}: not within ${limit / 1000} s`);
    }
    await sleep(POLL_MS, undefined, { signal });
  }
}
