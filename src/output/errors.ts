/* How a failure looks: one line `plait: verb object: cause`, and a hint line when there is something to do. */
import { PlaitError } from '../model/errors.js';

/** What `plait --help` promises. */
export const exitCodes = { ok: 0, failed: 1, usage: 2, warnings: 3 } as const;

/** The command line itself is wrong: no agent was asked. */
export class UsageError extends PlaitError {
  constructor(message: string, hint?: string) {
    super('USAGE', message, { hint });
  }
}

export function describeError(error: unknown): string {
  if (error instanceof PlaitError && error.hint) return `plait: ${error.message}\nhint: ${error.hint}`;
  return `plait: ${error instanceof Error ? error.message : String(error)}`;
}

export function exitCodeOf(error: unknown): number {
  return error instanceof UsageError ? exitCodes.usage : exitCodes.failed;
}
