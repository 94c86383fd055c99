// Which test files there are, and which of them a person or a machine has asked for.

import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

const TOP = join(import.meta.dirname, '..', '..', '..');
export const TIERS: Record<string, string> = {
  unit: 'dist/test/unit',
  addon: 'addon/dist/test',
  packet: 'dist/test/packet',
  host: 'dist/test/host',
  docker: 'dist/test/docker',
};

export interface TestFile {
  tier: string;
  path: string;
  name: string;
}

export interface Selection {
  chosen: TestFile[];
  /** Patterns that match nothing, tiers without files. */
  unmatched: string[];
}

export function findFiles(): TestFile[] {
  return Object.entries(TIERS).flatMap(([tier, dir]) => {
    const root = join(TOP, dir);
    return listTests(root).map((path) => ({
      tier,
      path,
      name: `${tier}/${relative(root, path).replace(/\.test\.js$/, '')}`,
    }));
  });
}

function listTests(root: string): string[] {
  try {
    return readdirSync(root, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.test.js'))
      .sort()
      .map((file) => join(root, file));
  } catch {
    return [];
  }
}

/** A pattern is a tier or a part of a file's path; without patterns everything is chosen. */
export function select(files: TestFile[], patterns: string[]): Selection {
  if (patterns.length === 0) {
    return { chosen: files, unmatched: Object.keys(TIERS).filter((t) => !files.some((f) => f.tier === t)) };
  }
  const matches = (file: TestFile, pattern: string): boolean =>
    pattern in TIERS ? file.tier === pattern : file.name.includes(pattern);
  return {
    chosen: files.filter((file) => patterns.some((pattern) => matches(file, pattern))),
    unmatched: patterns.filter((pattern) => !files.some((file) => matches(file, pattern))),
  };
}

/**
 * Whether a file is for every kernel. In the tiers that speak to the kernel alone all are, but for those that say
 * `// kernels: one`, which are long or about our own side; in the others those that say `// kernels: every`.
 */
export function isForEveryKernel({ tier, path }: TestFile): boolean {
  const mark = /^\/\/ kernels: (every|one)$/m.exec(readFileSync(path, 'utf8'))?.[1];
  return tier === 'addon' || tier === 'packet' ? mark !== 'one' : mark === 'every';
}
