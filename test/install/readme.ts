// The command lines of README.md, as they stand there: `    n1# apt install …`.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Line {
  host: string;
  command: string;
}

const TOP = join(import.meta.dirname, '..', '..', '..');

/** Lines with a prompt under a heading, which may lie under another ("Install/npm"). */
export function linesOf(heading: string): Line[] {
  let text = `\n${readFileSync(join(TOP, 'README.md'), 'utf8')}`;
  for (const [depth, title] of heading.split('/').entries()) {
    const mark = '#'.repeat(depth + 2);
    const start = text.indexOf(`\n${mark} ${title}\n`);
    if (start < 0) throw new Error(`README.md has no heading ${heading}`);
    const rest = text.slice(start + 1);
    const end = rest.slice(mark.length).search(new RegExp(`^#{2,${depth + 2}} `, 'm'));
    text = end < 0 ? rest : rest.slice(0, end + mark.length);
  }
  const lines = [...text.matchAll(/^ {4}(n\d)# (.*)$/gm)].map(([, host = '', command = '']) => ({
    host,
    command,
  }));
  if (lines.length === 0) throw new Error(`README.md has no command line under ${heading}`);
  return lines;
}
