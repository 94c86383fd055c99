/*
 * The last step of `prepack`: removes from dist/src what no source stands for any more. The compiler leaves the output
 * of a removed or renamed file where it is, and a package must not carry it.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { TOP } from './tools.js';

const compiled = join(TOP, 'dist', 'src');
for (const file of readdirSync(compiled, { recursive: true, encoding: 'utf8' })) {
  const source = /^(.*)\.js(\.map)?$/.exec(file)?.[1];
  if (source !== undefined && !existsSync(join(TOP, 'src', `${source}.ts`))) rmSync(join(compiled, file));
}
