/*
 * A step of the build: the plotting library's one file, with its licences and that of what it is built from, into
 * dist/vendor/echarts, where the program looks for it. As an ordinary dependency it would bring a hundred times as much.
 */
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { TOP } from './tools.js';

const modules = join(TOP, 'node_modules');
const target = join(TOP, 'dist', 'vendor', 'echarts');

rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });
for (const [from, to] of [
  ['echarts/dist/echarts.esm.min.mjs', 'echarts.esm.min.mjs'],
  ['echarts/package.json', 'package.json'],
  ['echarts/LICENSE', 'LICENSE'],
  ['echarts/NOTICE', 'NOTICE'],
  ['echarts/licenses', 'licenses'],
  ['zrender/LICENSE', 'licenses/LICENSE-zrender'],
  ['tslib/LICENSE.txt', 'licenses/LICENSE-tslib'],
] as const)
  cpSync(join(modules, from), join(target, to), { recursive: true });
