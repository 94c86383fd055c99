/* Assertions that every packet test shares. */
import * as assert from 'uvu/assert';
import type { Program, Run, RunOptions, TestDatapath, Verdict } from './datapath.js';

/** Shorter IP frames are refused by the test run itself (EINVAL, since Linux 6.18 at the latest). */
export const SHORTEST_IPV4 = 34;
export const SHORTEST_IPV6 = 54;

/** Dropped, for this reason alone, counted once, and left as it came. */
export function assertDropped(run: Run, reason: string, frame: Uint8Array, what: string): void {
  assert.equal({ verdict: run.verdict, drops: run.drops }, { verdict: 'drop', drops: [reason] }, what);
  assert.equal(run.events, [], `${what}: nothing else is counted`);
  assert.ok(run.out.equals(frame), `${what}: the frame is untouched`);
}

/** Dropped by XDP, which is an event, too. */
export function assertFiltered(run: Run, reason: string, frame: Uint8Array, what: string): void {
  assert.equal(run.events, ['FILTERED'], what);
  assertDropped({ ...run, events: [] }, reason, frame, what);
}

/**
 * What underlay_filter makes of a frame is what from_underlay would have made of it, or nothing. True when it drops it.
 */
export function assertHooksAgree(datapath: TestDatapath, frame: Uint8Array, what: string): boolean {
  const filter = datapath.run('underlay_filter', frame);
  if (filter.verdict === 'next') {
    assertPassed(filter, frame, `underlay_filter: ${what}`);
    return false;
  }
  const [reason = 'none'] = filter.drops;
  assertFiltered(filter, reason, frame, `underlay_filter: ${what}`);
  assertDropped(datapath.run('from_underlay', frame), reason, frame, `from_underlay: ${what}`);
  return true;
}

/**
 * What underlay_deliver makes of a frame is what from_underlay would have made of it, byte by byte, or nothing. Returns
 * its verdict.
 */
export function assertDeliveryAgrees(datapath: TestDatapath, frame: Uint8Array, what: string): Verdict {
  const early = datapath.run('underlay_deliver', frame);
  if (early.verdict === 'next') assertPassed(early, frame, `underlay_deliver: ${what}`);
  else if (early.verdict === 'drop') {
    const [reason = 'none'] = early.drops;
    assertFiltered(early, reason, frame, `underlay_deliver: ${what}`);
    assertDropped(datapath.run('from_underlay', frame), reason, frame, `from_underlay: ${what}`);
  } else {
    assert.equal([early.drops, early.events], [[], ['REMOTE_RECEIVED', 'XDP_DELIVERED']], what);
    const late = assertForwarded(datapath, 'from_underlay', frame, ['REMOTE_RECEIVED']);
    assert.is(early.out.toString('hex'), late.toString('hex'), what);
  }
  return early.verdict;
}

/** Left to the kernel's stack, untouched and uncounted. */
export function assertPassed(run: Run, frame: Uint8Array, what: string): void {
  assert.equal({ ...run, out: [] }, { verdict: 'next', out: [], drops: [], events: [] }, what);
  assert.ok(run.out.equals(frame), `${what}: the frame is untouched`);
}

/**
 * Runs `frame` and wants it forwarded and counted as `event`. Also the precondition of the hostile rows: what they
 * spoil is good before.
 */
export function assertForwarded(
  datapath: TestDatapath,
  program: Program,
  frame: Uint8Array,
  events: readonly string[],
  options: RunOptions = {},
): Buffer {
  const run = datapath.run(program, frame, options);
  assert.equal({ ...run, out: [] }, { verdict: 'redirect', out: [], drops: [], events });
  return run.out;
}
