/* So that nothing is left of a program that boots machines, also when somebody interrupts it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What `process.once('exit', …)` takes away is taken away after SIGINT and SIGTERM, too. */
export function exitOnSignals(): void {
  process.once('SIGINT', () => process.exit(130)).once('SIGTERM', () => process.exit(143));
}

/** A directory that goes when the program ends. */
export function scratchDirectory(prefix: string, parent = tmpdir()): string {
  const directory = mkdtempSync(join(parent, prefix));
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  return directory;
}
