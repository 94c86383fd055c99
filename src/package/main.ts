/*
 * `npm run pack`: dist/package/plait-<version>.tgz for npm and dist/package/plait_<version>_amd64.deb for Debian.
 * The first is what `npm pack` makes (its `prepack` builds everything); the second is made from the first.
 */
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { buildDeb } from './deb.js';
import { OUT, perform, TOP } from './tools.js';

function main(): void {
  process.umask(0o022); // modes in the packages do not depend on who packs
  mkdirSync(OUT, { recursive: true });
  for (const file of readdirSync(OUT)) if (/\.(tgz|deb)$/.test(file)) rmSync(join(OUT, file));
  const printed = perform('npm', ['pack', '--silent', '--pack-destination', OUT], { cwd: TOP });
  const tgz = join(OUT, printed.trim().split('\n').at(-1) ?? '');
  report(tgz);
  report(buildDeb(tgz));
}

function report(file: string): void {
  console.log(`${file}  ${(statSync(file).size / 1e6).toFixed(1)} MB`);
}

main();
