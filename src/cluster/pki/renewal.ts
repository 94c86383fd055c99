/**
 * When a node asks for its next certificate. At a random moment of the second half of its life, so that nodes which joined
 * together do not come together, and a fifth of the life is left for managers to come back in.
 */

/** A certificate is valid from this long before it is made: clocks differ. */
export const BACKDATE_MS = 3_600_000;

const EARLIEST = 0.5;
const LATEST = 0.8;

const SECOND = 1000;
const PAUSE_MIN = SECOND;
const PAUSE_MAX = 3600 * SECOND;
const PAUSE_EXPIRED = 60 * SECOND;
/** Of what is left: so at least so many attempts are made before the end. */
const PAUSE_SHARE = 1 / 10;
const JITTER = 0.25;

/**
 * Uniformly between 50 and 80 % of the time from when it was made to `notAfter`.
 * @param notBefore an hour before it was made
 * @param random in [0, 1)
 */
export function renewAt(notBefore: Date, notAfter: Date, random: () => number = Math.random): Date {
  const end = notAfter.getTime();
  const made = Math.min(notBefore.getTime() + BACKDATE_MS, end);
  return new Date(Math.round(made + (end - made) * (EARLIEST + (LATEST - EARLIEST) * random())));
}

/**
 * Milliseconds until the next attempt after one that failed: a tenth of what is left, a second to an hour, give or take a
 * quarter. Every minute or so once it has expired: a clock that was wrong may be set.
 * @param random in [0, 1)
 */
export function renewalPause(now: Date, notAfter: Date, random: () => number = Math.random): number {
  const left = notAfter.getTime() - now.getTime();
  const pause = left <= 0 ? PAUSE_EXPIRED : Math.min(Math.max(left * PAUSE_SHARE, PAUSE_MIN), PAUSE_MAX);
  return Math.round(pause * (1 - JITTER + 2 * JITTER * random()));
}
