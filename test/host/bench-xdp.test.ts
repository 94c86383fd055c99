// `npm run bench:xdp`, as short as it goes: every place drops what it is there for, and nothing is left behind. What it
// measures is not judged here.

import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Row } from '../../src/bench/xdp/measure.js';
import { table } from '../../src/bench/xdp/report.js';

const MAIN = fileURLToPath(new URL('../../src/bench/xdp/main.js', import.meta.url));
const test = suite('bench: xdp');

test('both packets are dropped in every place, and counted there', () => {
  const output = execFileSync(process.execPath, [MAIN, '--json', '--repetitions', '1', '--seconds', '0.1'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const { rows } = JSON.parse(output) as { rows: Row[] };
  assert.equal([...new Set(rows.map(({ packet }) => packet))], ['no I flag', 'unlisted sender']);
  assert.is(rows.length, 12);
  for (const { place, perCoreSecond, busy } of rows) {
    assert.ok(perCoreSecond.median > 1000, `${place}: ${perCoreSecond.median}`);
    assert.ok(busy.median > 0 && busy.median <= 1.1, `${place}: ${busy.median}`);
  }
  const lines = table(rows).split('\n');
  assert.match(
    lines.find((line) => line.startsWith('underlay_filter')) ?? '',
    /^underlay_filter \(XDP\) +\d/,
  );
});

test('wrong options end it at once', () => {
  assert.throws(
    () => execFileSync(process.execPath, [MAIN, '--repetitions', '0'], { stdio: 'pipe' }),
    /above 0/,
  );
});

test.run();
