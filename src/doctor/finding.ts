/* What a check says, and how checks are put together. */

export interface Finding {
  /** What was looked at, as in `TCP 2377 of 192.0.2.1`. */
  readonly what: string;
  readonly state: 'ok' | 'warning' | 'fault';
  /** What was found. */
  readonly text: string;
  /** What to do about it: a command, or what to look at. */
  readonly mend?: string;
}

export const ok = (what: string, text: string): Finding => ({ what, state: 'ok', text });

export const fault = (what: string, text: string, mend: string): Finding => ({
  what,
  state: 'fault',
  text,
  mend,
});

export const warning = (what: string, text: string, mend: string): Finding => ({
  what,
  state: 'warning',
  text,
  mend,
});

/** A check that itself fails is a finding, too. */
export async function finding(
  what: string,
  check: () => Promise<Finding | Finding[]>,
  mend: string,
): Promise<Finding[]> {
  try {
    const found = await check();
    return Array.isArray(found) ? found : [found];
  } catch (error) {
    return [fault(what, error instanceof Error ? error.message : String(error), mend)];
  }
}
