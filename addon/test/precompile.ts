// Compiles all that the tests compile into a directory, for machines without clang: PLAIT_TEST_OBJECTS names it there.
//
//     node dist/test/precompile.js DIRECTORY
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compileFile, readmeBlock, readyName, sources } from './support.js';

const directory = process.argv[2];
if (!directory) throw new Error('usage: precompile.js DIRECTORY');

const scratch = mkdtempSync(join(tmpdir(), 'pt-precompile-'));
try {
  const readme = join(scratch, 'counter.bpf.c');
  writeFileSync(readme, readmeBlock('c'));
  const files = readdirSync(sources).filter((name) => name.endsWith('.bpf.c'));
  for (const source of [readme, ...files.map((name) => join(sources, name))]) {
    for (const types of [true, false])
      compileFile(source, join(directory, readyName(source, types)), { types });
  }
} finally {
  rmSync(scratch, { recursive: true });
}
