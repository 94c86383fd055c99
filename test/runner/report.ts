// What test/run.ts found, for programs: `--json FILE` writes it.

import type { FileResult } from './file.js';

export interface RunReport {
  passed: number;
  failed: number;
  /** `file: test: reason`. */
  skips: string[];
  /** Patterns that matched nothing; each counts as failed. */
  unmatched: string[];
  files: (Omit<FileResult, 'output'> & { name: string; tier: string })[];
}
