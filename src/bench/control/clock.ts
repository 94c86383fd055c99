/* One clock for all processes of this machine. */

/** Milliseconds of CLOCK_MONOTONIC, to the microsecond. */
export function now(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000;
}
