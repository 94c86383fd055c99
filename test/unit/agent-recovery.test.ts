import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { decideRecovery, type Recovery, type Traces } from '../../src/agent/recovery.js';

const row = (
  journal: Traces['journal'],
  store: Traces['store'],
  link: boolean,
  expected: Recovery,
): [Traces, Recovery] => [{ journal, store, link }, expected];

const rows = [
  row('attached', 'present', true, 'adopt'),
  row('attached', 'unknown', true, 'adopt'),
  row('attached', 'absent', true, 'register'),
  row('attached', 'present', false, 'undo'),
  row('attached', 'unknown', false, 'undo'),
  row('attached', 'absent', false, 'undo'),
  row('attaching', 'present', true, 'undo'),
  row('attaching', 'unknown', false, 'undo'),
  row('attaching', 'absent', false, 'undo'),
  row('detaching', 'present', false, 'undo'),
  row('detaching', 'unknown', true, 'undo'),
  row('none', 'present', false, 'undo'),
  row('none', 'absent', true, 'undo'),
  row('none', 'unknown', true, 'undo'),
  row('none', 'absent', false, 'none'),
  row('none', 'unknown', false, 'none'),
];

for (const [traces, expected] of rows) {
  const link = traces.link ? 'with a link' : 'without a link';
  test(`journal ${traces.journal}, store ${traces.store}, ${link}: ${expected}`, () => {
    assert.is(decideRecovery(traces), expected);
  });
}

test.run();
