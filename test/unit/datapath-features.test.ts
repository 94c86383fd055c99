import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { pathsWith } from '../../src/datapath/features.js';

test('a kernel with tcx and DECAP_L3 takes the direct way for everything', () => {
  assert.equal(pathsWith({ tcx: true, decapL3: true }), {
    attach: 'tcx',
    otherFamily: 'direct',
    otherFamilyGso: 'direct',
  });
});

test('a kernel without them attaches by clsact and leaves the other IP family to the veth and the vxlan device', () => {
  assert.equal(pathsWith({ tcx: false, decapL3: false }), {
    attach: 'clsact',
    otherFamily: 'veth',
    otherFamilyGso: 'vxlan device',
  });
});

test('each feature counts for itself: distributions backport one without the other', () => {
  assert.is(pathsWith({ tcx: false, decapL3: true }).attach, 'clsact');
  assert.is(pathsWith({ tcx: false, decapL3: true }).otherFamily, 'direct');
  assert.is(pathsWith({ tcx: true, decapL3: false }).otherFamilyGso, 'vxlan device');
});

test.run();
