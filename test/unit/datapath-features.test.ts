import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { pathsWith } from '../../src/datapath/features.js';

test('a kernel with tcx and DECAP_L3 uses them', () => {
  assert.equal(pathsWith({ tcx: true, decapL3: true }), { attach: 'tcx', otherFamily: 'one step' });
});

test('a kernel without them attaches by clsact and converts the outer header first', () => {
  assert.equal(pathsWith({ tcx: false, decapL3: false }), { attach: 'clsact', otherFamily: 'two steps' });
});

test('each feature counts for itself: distributions backport one without the other', () => {
  assert.equal(pathsWith({ tcx: false, decapL3: true }), { attach: 'clsact', otherFamily: 'one step' });
  assert.equal(pathsWith({ tcx: true, decapL3: false }), { attach: 'tcx', otherFamily: 'two steps' });
});

test.run();
