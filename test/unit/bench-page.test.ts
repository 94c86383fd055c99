/* The page of a result: read by another parser, against the figures of the result. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { loadPlotter } from '../../src/bench/page/library.js';
import { renderPage } from '../../src/bench/page/page.js';
import { darkRules } from '../../src/bench/page/palette.js';
import type { BenchResult, Measurement } from '../../src/bench/result.js';
import { sampleResult } from './support/bench-result.js';
import { type Element, parseMarkup } from './support/markup.js';

const test = suite('bench page');
const draw = await loadPlotter();
const render = (result: BenchResult): Element[] => parseMarkup(renderPage(draw, result));

const result = sampleResult();
const page = render(result);
const all = (tag: string, elements = page): Element[] => elements.filter((element) => element.tag === tag);

/** The elements inside the plot whose title begins so. */
function insidePlot(title: string): Element[] {
  const begin = page.findIndex(({ tag, text }, index) => {
    const next = page[index + 1];
    return tag === 'svg' && next?.tag === 'title' && next.text.startsWith(title) && text !== '';
  });
  assert.is.not(begin, -1, `no plot of ${title}`);
  const depth = page[begin]?.path.length ?? 0;
  const end = page.findIndex(({ path }, index) => index > begin && path.length <= depth);
  return page.slice(begin, end === -1 ? undefined : end);
}

/** Left and right end of the bars of a colour, from the top. */
function barsOf(elements: readonly Element[], colour: string): [number, number][] {
  return elements.flatMap(({ tag, attributes }): [number, number][] => {
    const [, x, width] = /^M([\d.]+) [\d.]+l([\d.]+) 0l0 /.exec(attributes.d ?? '') ?? [];
    return tag === 'path' && attributes.fill === colour ? [[Number(x), Number(x) + Number(width)]] : [];
  });
}

const measured = (): [string, Measurement][] =>
  result.tables.flatMap(({ rows }) =>
    rows.flatMap(({ workload, results }) =>
      Object.values(results).map((found): [string, Measurement] => [workload, found]),
    ),
  );

test('the tables hold median, lowest and highest of every figure, to four digits', () => {
  const cells = all('td').map(({ text }) =>
    (text.match(/[\d.,]+/g) ?? []).map((number) => Number(number.replaceAll(',', ''))),
  );
  for (const [workload, { value, cpu, latency }] of measured()) {
    for (const { median, min, max } of [value, cpu, ...(latency ? [latency.p50, latency.p99] : [])]) {
      const same = (shown: number | undefined, real: number): boolean =>
        shown !== undefined && Math.abs(shown / real - 1) < 0.0005;
      const found = cells.some(([a, b, c]) => same(a, median) && same(b, min) && same(c, max));
      assert.ok(found, `${workload}: ${median} (${min} – ${max}) is in no cell`);
    }
  }
});

test('flows that stalled are told where they did', () => {
  const stalled = sampleResult();
  Object.assign(stalled.tables[1]?.rows[1]?.results.plait ?? {}, { stalledFlows: 3 });
  Object.assign(stalled.tables[1]?.rows[1]?.results.kernel ?? {}, { stalledFlows: 0 });
  const told = all('td', render(stalled)).filter(({ text }) => text.includes('stalled'));
  assert.is(told.length, 1);
  assert.match(told[0]?.text ?? '', /, 3 flows stalled$/);
});

test('every sample is in the page as JSON', () => {
  const [json] = all('pre').filter(({ text }) => text.startsWith('{'));
  assert.equal(JSON.parse(json?.text ?? ''), result);
});

test('there is a plot for each measure of each workload, and the picture of all', () => {
  const titles = all('svg').map((svg) => page[page.indexOf(svg) + 1]?.text);
  assert.equal(titles, [
    'Speed over an overlay, as a share of host-to-host speed',
    'TCP, one stream, Gbit/s',
    'TCP request/response, 1/s',
    'nginx, 1/s',
    'TCP request/response, µs',
    'nginx, µs',
    'TCP, one stream, µs per Gbit',
    'TCP request/response, µs per request',
    'nginx, µs per request',
  ]);
});

test('bars begin at zero and are as long as their medians, on one scale for both settings of the offloads', () => {
  const plot = insidePlot('TCP, one stream, Gbit/s');
  const colours = { bare: '#818b96', kernel: '#c25200', plait: '#0072b2' };
  const zero = Math.min(...barsOf(plot, colours.bare).map(([left]) => left));
  const [on, off] = result.tables.map(({ rows }) => rows[0]?.results ?? {});
  const pixels = (barsOf(plot, colours.bare)[0]?.[1] ?? 0) - zero;
  const scale = pixels / (on?.bare?.value.median ?? 0);
  for (const [id, colour] of Object.entries(colours)) {
    const bars = barsOf(plot, colour);
    assert.is(bars.length, 2, id);
    for (const [index, results] of [on, off].entries()) {
      const [left = 0, right = 0] = bars[index] ?? [];
      assert.is(left, zero);
      const expected = (results?.[id]?.value.median ?? 0) * scale;
      assert.ok(Math.abs(right - left - expected) < 0.1, `${id}: ${right - left} pixels, not ${expected}`);
    }
  }
});

test('each sample is a dot where its value is, and whiskers reach from the lowest to the highest', () => {
  const plot = insidePlot('TCP request/response, 1/s');
  const [left = 0, right = 0] = barsOf(plot, '#0072b2')[0] ?? [];
  const plait = result.tables[0]?.rows[1]?.results.plait?.value;
  assert.ok(plait);
  const at = (value: number): number => left + ((right - left) * value) / plait.median;
  const dots = plot
    .filter(({ attributes }) => attributes.fill === '#ffffff' && attributes.transform?.startsWith('matrix'))
    .map(({ attributes }) => Number(attributes.transform?.split(',')[4]));
  assert.is(dots.length, 2 * 3 * 5);
  const near = (x: number, numbers: readonly number[]): boolean =>
    numbers.some((number) => Math.abs(number - x) < 0.1);
  for (const sample of plait.samples) assert.ok(near(at(sample), dots), `no dot at ${sample}`);
  const lines = plot.flatMap(({ attributes }) => {
    const [, x1, x2] = /^M([\d.]+) [\d.]+L([\d.]+) /.exec(attributes.d ?? '') ?? [];
    return attributes.stroke === '#1f2328' && x1 !== x2 ? [[Number(x1), Number(x2)]] : [];
  });
  assert.is(lines.length, 6);
  const ends = lines.some(([x1 = 0, x2 = 0]) => near(x1, [at(plait.min)]) && near(x2, [at(plait.max)]));
  assert.ok(ends, `no whisker from ${plait.min} to ${plait.max}`);
});

test('nothing comes from elsewhere and nothing runs', () => {
  for (const { tag, attributes } of page) {
    assert.not.ok(['script', 'link', 'img', 'iframe', 'image', 'use', 'object'].includes(tag), tag);
    for (const [name, value] of Object.entries(attributes)) {
      assert.not.match(name, /^on|href$|src$/);
      assert.not.match(value, /https?:|url\(/, `${tag} ${name}`);
    }
  }
  for (const { text } of all('style')) assert.not.match(text, /@import|url\(|http/);
});

test('each plot has a name and a description that are its own', () => {
  const ids = page.flatMap(({ attributes }) => (attributes.id === undefined ? [] : [attributes.id]));
  assert.is(new Set(ids).size, ids.length);
  for (const svg of all('svg')) {
    assert.is(svg.attributes.role, 'img');
    const [title, description] = (svg.attributes['aria-labelledby'] ?? '').split(' ');
    const inside = page.slice(page.indexOf(svg));
    assert.ok(inside.find(({ tag, attributes }) => tag === 'title' && attributes.id === title)?.text);
    assert.match(
      inside.find(({ tag, attributes }) => tag === 'desc' && attributes.id === description)?.text ?? '',
      /Plait/,
    );
  }
});

test('every colour of a plot has another one for readers who prefer dark', () => {
  const rules = darkRules();
  const plots = page.filter(({ path, tag }) => path.includes('svg') && tag !== 'style');
  for (const { tag, attributes } of plots) {
    for (const name of ['fill', 'stroke'] as const) {
      const colour = attributes[name];
      if (colour === undefined || colour === 'none') continue;
      assert.ok(rules.includes(`[${name}="${colour}"]{`), `${tag} ${name} ${colour}`);
    }
  }
});

const hostile = `<script>alert('1')</script> & "x" {b|y} ]]> \u0007`;
/** A control character has no way of being written. */
const readable = hostile.replace('\u0007', '\ufffd');

test('names stay names, whatever is in them', () => {
  const spoilt = sampleResult();
  for (const variant of spoilt.variants) variant.title = hostile;
  for (const workload of spoilt.workloads)
    Object.assign(workload, { title: hostile, unit: hostile, cpuPer: hostile, tool: hostile });
  for (const machine of spoilt.machines)
    Object.assign(machine, { name: hostile, kernel: hostile, processor: hostile });
  spoilt.underlay.driver = hostile;
  spoilt.startedAt = hostile;
  const elements = render(spoilt);
  assert.is(all('script', elements).length, 0);
  for (const tag of ['dd', 'th', 'h3', 'title', 'desc', 'text'])
    assert.ok(
      all(tag, elements).some(({ text }) => text.includes(readable)),
      tag,
    );
});

test('what was not measured is left out: a workload, a variant, the comparison', () => {
  const partial = sampleResult();
  for (const { rows } of partial.tables) {
    rows.splice(2);
    for (const row of rows) {
      delete row.results.bare;
      delete row.results.kernel;
      for (const found of Object.values(row.results))
        Object.assign(found, { ofBare: null, toKernel: null, cpuToKernel: null });
    }
  }
  const elements = render(partial);
  const titles = elements
    .filter(({ tag, path }) => tag === 'title' && path.includes('svg'))
    .map(({ text }) => text);
  assert.is(titles.length, 5);
  assert.not.ok(titles.some((title) => /nginx|Speed over/.test(title)));
  assert.is(all('td', elements).filter(({ text }) => text.includes('×')).length, 0);
});

test.run();
