// kernels: one
/* The cases of `npm run bench:programs` are what their names say, and can be timed. */
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readBaseline } from '../programs/baseline.js';
import { Bench, CALIBRATION } from '../programs/bench.js';
import { CASES, nameOf } from '../programs/cases.js';
import { figuresOf, measureInto, type Rounds } from '../programs/measure.js';
import { VERIFIER_LIMITS } from './support/limits.js';

const test = suite('cases of bench:programs');
const bench = await Bench.load();
test.after(() => bench.close());

for (const one of CASES) {
  const { verdict, drops, events } = one.expected;
  const end = [verdict, ...drops, ...events].join(', ');
  test(`"${nameOf(one)}" ends with ${end}`, () => bench.verify(one));
}

test('no two cases have one name, and every program has a case', () => {
  assert.is(new Set(CASES.map(nameOf)).size, CASES.length);
  assert.equal([...new Set(CASES.map(({ program }) => program))].sort(), Object.keys(VERIFIER_LIMITS).sort());
});

for (const { what, expected } of [
  { what: 'verdict', expected: { verdict: 'drop', drops: [], events: ['REMOTE_SENT'] } },
  { what: 'event', expected: { verdict: 'redirect', drops: [], events: ['REMOTE_SENT', 'SLOW_SENT'] } },
  { what: 'drop', expected: { verdict: 'redirect', drops: ['SPOOFED_IP'], events: ['REMOTE_SENT'] } },
] as const) {
  test(`a case that ends with another ${what} than it should is not timed`, () => {
    const [one] = CASES;
    assert.ok(one);
    bench.verify(one);
    assert.throws(
      () => bench.verify({ ...one, expected }),
      /^measure "from_container: UDP 64 B to another node": it ends with /,
    );
  });
}

test('times each case, and the work to which it is compared', async () => {
  const found: Rounds = new Map();
  await measureInto(found, [bench.calibration(), ...CASES.map((one) => bench.prepare(one))], {
    rounds: 3,
    samples: 20,
  });
  const figures = figuresOf(found, CALIBRATION);
  assert.equal([...figures.keys()].sort(), [CALIBRATION, ...CASES.map(nameOf)].sort());
  assert.is(figures.get(CALIBRATION)?.ratio, 1);
  for (const name of [CALIBRATION, 'from_container: UDP 64 B to another node', 'from_vxlan: UDP 64 B']) {
    assert.ok((figures.get(name)?.ns ?? 0) > 10, `${name} takes longer than nothing`);
  }
});

test('the committed baseline has the cases and programs that there are', () => {
  const path = join(import.meta.dirname, '..', '..', '..', 'test', 'programs', 'baseline.json');
  const baseline = readBaseline(path);
  assert.equal(Object.keys(baseline.cases).sort(), CASES.map(nameOf).sort());
  assert.equal(Object.keys(baseline.instructions).sort(), Object.keys(VERIFIER_LIMITS).sort());
});

test.run();
