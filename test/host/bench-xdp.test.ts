// `npm run bench:xdp`, as short as it goes: every place drops or delivers what it is there for, and nothing is left behind. What it
// measures is not judged here.

import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Row } from '../../src/bench/xdp/measure.js';
import { table } from '../../src/bench/xdp/report.js';

const MAIN = fileURLToPath(new URL('../../src/bench/xdp/main.js', import.meta.url));
const test = suite('bench: xdp');

test('bad packets are dropped in every place, good ones delivered from every place, and counted there', () => {
  const output = execFileSync(process.execPath, [MAIN, '--json', '--repetitions', '1', '--seconds', '0.1'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const { rows, deliveries } = JSON.parse(output) as Record<'rows' | 'deliveries', Row[]>;
  assert.equal([...new Set(rows.map(({ packet }) => packet))], ['no I flag', 'unlisted sender']);
  assert.is(rows.length, 12);
  assert.equal([...new Set(deliveries.map(({ packet }) => packet))], ['UDP 64 B', 'UDP 1400 B']);
  assert.is(deliveries.length, 6);
  for (const { place, perCoreSecond, busy } of [...rows, ...deliveries]) {
    assert.ok(perCoreSecond.median > 1000, `${place}: ${perCoreSecond.median}`);
    assert.ok(busy.median > 0 && busy.median <= 1.1, `${place}: ${busy.median}`);
  }
  assert.match(table(rows, 'drops'), /^underlay_filter \(XDP\) +\d/m);
  assert.match(table(deliveries, 'deliveries'), /^underlay_deliver \(XDP\) +\d/m);
});

test('wrong options end it at once', () => {
  assert.throws(
    () => execFileSync(process.execPath, [MAIN, '--repetitions', '0'], { stdio: 'pipe' }),
    /above 0/,
  );
});

test.run();
