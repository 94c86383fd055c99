/* From samples to medians and ratios, from those to the table; and what is asked for at the command line. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { rowOf } from '../../src/bench/measure.js';
import { formatResult, sentences } from '../../src/bench/report.js';
import type { BenchResult, VariantInfo } from '../../src/bench/result.js';
import { median, percentile, summarise } from '../../src/bench/statistics.js';
import { requireTools } from '../../src/bench/tools.js';
import { parseTargets } from '../../src/bench/two-hosts.js';
import type { PlaitError } from '../../src/model/errors.js';

const test = suite('bench: result');

const bare: VariantInfo = { id: 'bare', title: 'host to host', role: 'bare' };
const kernel: VariantInfo = { id: 'kernel', title: 'kernel vxlan', role: 'kernel' };
const plait: VariantInfo = { id: 'plait', title: 'plait', role: 'plait' };
const rate = { group: 'request', unit: '1/s', higherIsBetter: true, cpuPer: 'request' } as const;
const info = { id: 'tcp-rr', title: 'TCP request/response', tool: 'sockperf', ...rate };

const samples = (values: number[], cpuPerUnit: number) =>
  values.map((value) => ({ value, work: 1, cpuPerUnit, latency: { p50: 1e6 / value, p99: 2e6 / value } }));
const row = rowOf('tcp-rr', [
  [bare, samples([100_000, 90_000, 110_000], 10)],
  [kernel, samples([50_000, 80_000, 60_000], 20)],
  [plait, samples([90_000, 95_000, 81_000], 12)],
]);

test('the median of an even number of values lies between the middle two; the spread is kept', () => {
  assert.is(median([4, 1, 3, 2]), 2.5);
  assert.equal(summarise([3, 1, 2]), { median: 2, min: 1, max: 3, samples: [3, 1, 2] });
  assert.is(percentile([1, 2, 3, 4], 0.99), 4);
  assert.throws(() => median([]), /no values/);
});

test('a row relates medians to host to host and to the kernel’s overlay', () => {
  const { plait: found } = row.results;
  assert.ok(found);
  const { ofBare, toKernel, cpuToKernel, value, latency } = found;
  assert.equal({ ofBare, toKernel, cpuToKernel }, { ofBare: 0.9, toKernel: 1.5, cpuToKernel: 0.6 });
  assert.equal([value.median, value.min, value.max], [90_000, 81_000, 95_000]);
  assert.is(latency?.p50.median, 1e6 / 90_000);
  assert.is(row.results.bare?.ofBare, 1);
});

test('without the baselines there are no ratios, and a CPU time of 0 gives none', () => {
  const alone = rowOf('tcp-rr', [[plait, samples([5], 1)]]).results.plait;
  assert.equal([alone?.ofBare, alone?.toKernel, alone?.cpuToKernel], [null, null, null]);
  const idle = rowOf('tcp-rr', [
    [kernel, samples([5], 0)],
    [plait, samples([5], 1)],
  ]);
  assert.is(idle.results.plait?.cpuToKernel, null);
});

const result: BenchResult = {
  version: 1,
  startedAt: '2026-01-01T00:00:00.000Z',
  repetitions: 3,
  seconds: 2,
  topology: 'lab',
  machines: [{ name: 'm', kernel: '6.1', architecture: 'x64', processor: 'P', cpus: 2, memoryBytes: 1 }],
  underlay: { driver: 'veth', mtu: 1500 },
  variants: [bare, kernel, plait],
  workloads: [info],
  tables: [{ offloads: 'on', rows: [row] }],
};

test('the table has a line for each variant: median, range, shares, CPU time', () => {
  const lines = formatResult(result).trimEnd().split('\n');
  assert.match(lines[0] ?? '', 'm: Linux 6.1, 2 × P');
  assert.match(lines[1] ?? '', 'underlay veth, MTU 1500; medians (lowest–highest) of 3 × 2 s');
  const cells = lines.slice(-3).map((line) => line.split(/ {2,}/));
  assert.equal(cells, [
    [
      'TCP request/response',
      'host to host',
      '100000',
      '90000–110000',
      '1/s',
      '100',
      '1.67',
      '10.00',
      'request',
      '0.50',
    ],
    [
      'TCP request/response',
      'kernel vxlan',
      '60000',
      '50000–80000',
      '1/s',
      '60',
      '1.00',
      '20.00',
      'request',
      '1.00',
    ],
    [
      'TCP request/response',
      'plait',
      '90000',
      '81000–95000',
      '1/s',
      '90',
      '1.50',
      '12.00',
      'request',
      '0.60',
    ],
  ]);
});

test('a demonstration says it in a sentence', () => {
  assert.equal(sentences(result, result.tables[0]), [
    'TCP request/response: 90000 1/s (kernel 60000, 1.50×)',
  ]);
});

test('addresses of servers may have a label, which may say what the way is, and a network namespace', () => {
  const [one, two, three] = parseTargets(['bare=192.0.2.2', '192.0.2.3', 'mine=10.0.0.1@/proc/self/ns/net']);
  assert.equal(one, {
    info: { id: 'bare', title: 'bare', role: 'bare' },
    target: { address: '192.0.2.2', netns: undefined },
  });
  assert.equal(two?.info, { id: '192.0.2.3', title: '192.0.2.3', role: 'other' });
  assert.equal(three?.target, { address: '10.0.0.1', netns: '/proc/self/ns/net' });
});

for (const [text, message] of [
  ['plait=n2', /n2 is no IPv4 address/],
  ['plait=', /it is no IPv4 address/],
  ['2001:db8::1', /no IPv4 address/],
  ['a=192.0.2.1@no-such-namespace', /no such namespace/],
] as const) {
  test(`an address such as "${text}" is refused`, () => assert.throws(() => parseTargets([text]), message));
}

test('two addresses of one label are refused', () => {
  assert.throws(() => parseTargets(['a=192.0.2.1', 'a=192.0.2.2']), /two addresses are labelled a/);
});

test('tools that are not there are named with the Debian packages that hold them', () => {
  const path = process.env.PATH;
  process.env.PATH = '/nonexistent';
  try {
    requireTools([]);
    requireTools(['wrk', 'redis-benchmark', 'wrk']);
    assert.unreachable();
  } catch (error) {
    const { message, hint } = error as PlaitError;
    assert.is(message, 'find wrk, redis-benchmark: not installed');
    assert.match(hint ?? '', 'apt install wrk redis-tools, or choose what does without');
  } finally {
    process.env.PATH = path;
  }
});

test.run();
