import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { decideRecovery, type Recovery, type Traces } from '../../src/agent/recovery.js';

const rows: [Traces['journal'], boolean, Recovery][] = [
  ['attached', true, 'adopt'],
  ['attached', false, 'undo'],
  ['attaching', true, 'undo'],
  ['attaching', false, 'undo'],
  ['detaching', true, 'undo'],
  ['detaching', false, 'undo'],
  ['none', true, 'undo'],
  ['none', false, 'none'],
];

for (const [journal, link, expected] of rows) {
  test(`journal ${journal}, ${link ? 'with' : 'without'} a link: ${expected}`, () => {
    assert.is(decideRecovery({ journal, link }), expected);
  });
}

test.run();
