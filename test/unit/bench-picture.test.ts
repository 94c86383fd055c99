/* The picture of a result, its words, its colours, and results read from files. */
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { headline, tiles } from '../../src/bench/page/headline.js';
import { loadPlotter } from '../../src/bench/page/library.js';
import { repeatLines } from '../../src/bench/page/method.js';
import { colourOf, darkRules, SURFACE } from '../../src/bench/page/palette.js';
import { drawPicture } from '../../src/bench/page/picture.js';
import { readResult } from '../../src/bench/page/read.js';
import { sidesOf } from '../../src/bench/page/shares.js';
import { prepareReports } from '../../src/bench/page/write.js';
import type { BenchResult, Role } from '../../src/bench/result.js';
import { CLI } from '../../src/lab/programs.js';
import { PlaitError } from '../../src/model/errors.js';
import { sampleResult } from './support/bench-result.js';
import { parseMarkup } from './support/markup.js';

const test = suite('bench picture');
const draw = await loadPlotter();
const texts = (result: BenchResult): string[] =>
  parseMarkup(drawPicture(draw, result).text).flatMap(({ tag, text }) => (tag === 'text' ? [text] : []));

test('the picture stands alone: well-formed, small, named, with its own dark colours', () => {
  const picture = drawPicture(draw, sampleResult()).text;
  const [svg, title, description, style] = parseMarkup(picture);
  assert.equal([svg?.tag, title?.tag, description?.tag, style?.tag], ['svg', 'title', 'desc', 'style']);
  assert.is(svg?.attributes['aria-labelledby'], `${title?.attributes.id} ${description?.attributes.id}`);
  assert.match(style?.text ?? '', /prefers-color-scheme:dark/);
  assert.ok(picture.length < 60_000, `${picture.length} bytes`);
  assert.not.match(picture.replace('xmlns="http://www.w3.org/2000/svg"', ''), /http|url\(|<image|<script/);
});

test('it shows the share of host to host and the ratio to the kernel for each workload', () => {
  const result = sampleResult();
  const shown = texts(result);
  for (const { rows } of result.tables) {
    for (const { results } of rows) {
      for (const id of ['kernel', 'plait'])
        assert.ok(shown.includes(`${Math.round(100 * (results[id]?.ofBare ?? 0))} %`));
      assert.ok(shown.includes(`${(results.plait?.toKernel ?? 0).toFixed(2)}×`));
    }
  }
  for (const { title } of result.workloads) assert.ok(shown.includes(title), title);
});

test('where less is better, half of the time is twice the speed', () => {
  const result = sampleResult();
  result.workloads.splice(1);
  Object.assign(result.workloads[0] ?? {}, { higherIsBetter: false });
  for (const { rows } of result.tables) {
    rows.splice(1);
    Object.assign(rows[0]?.results.kernel ?? {}, { ofBare: 2 });
    Object.assign(rows[0]?.results.plait ?? {}, { ofBare: 1.25, toKernel: 0.625 });
  }
  const shown = texts(result);
  assert.is(shown.filter((text) => text === '1.60×').length, 2);
  assert.is(shown.filter((text) => text === '80 %').length, 2);
  assert.not.ok(shown.includes('125 %'));
});

test('spreads are shares too, and turn round where less is better', () => {
  const result = sampleResult();
  const [, latency] = result.workloads;
  Object.assign(latency ?? {}, { higherIsBetter: false });
  const { value } = result.tables[0]?.rows[1]?.results.plait ?? {};
  Object.assign(value ?? {}, { median: 10, min: 8, max: 20 });
  Object.assign(result.tables[0]?.rows[1]?.results.plait ?? {}, { ofBare: 1.25 });
  const row = sidesOf(result)[0]?.rows[1];
  assert.equal(row?.shares.get('plait'), { median: 0.8, lowest: 0.4, highest: 1 });
  const bare = sidesOf(result)[0]?.rows[0]?.shares.get('bare');
  assert.is(bare?.median, 1);
  assert.ok(Math.abs((bare?.lowest ?? 0) - 0.97) < 1e-9 && Math.abs((bare?.highest ?? 0) - 1.05) < 1e-9);
});

test('without host to host there is nothing to draw, and it says so', () => {
  const result = sampleResult();
  for (const { rows } of result.tables)
    for (const { results } of rows) for (const found of Object.values(results)) found.ofBare = null;
  assert.throws(
    () => drawPicture(draw, result),
    (error: unknown) =>
      error instanceof PlaitError && error.code === 'NOTHING_TO_DRAW' && Boolean(error.hint),
  );
});

test('the headline gives the range over all workloads, for each setting of the offloads', () => {
  const result = sampleResult();
  result.tables.splice(1);
  const [table] = result.tables;
  for (const [index, { results }] of (table?.rows ?? []).entries())
    Object.assign(results.plait ?? {}, {
      toKernel: 1.3 + index / 10,
      ofBare: 0.9,
      cpuToKernel: 0.7 - index / 10,
    });
  assert.equal(headline(result), [
    'Offloads on, 3 workloads: Plait reaches 1.30× to 1.50× the kernel overlay; 90 % of host to host; 0.50× to 0.70× the kernel overlay’s CPU time per unit of work.',
  ]);
  assert.equal(
    tiles(result).map(({ title, figure }) => `${title} ${figure}`),
    ['TCP, one stream 1.30×', 'TCP request/response 1.40×', 'nginx 1.50×', 'CPU per request 0.60×'],
  );
});

test('the command to repeat it names what was measured, quoted where a shell needs it', () => {
  const lab = sampleResult();
  lab.tables.splice(1);
  assert.match(
    repeatLines(lab).join('\n'),
    /^plait bench --variant bare,kernel,plait .*--offloads on --repetitions 5 --seconds 3 --html result\.html$/,
  );
  const hosts = sampleResult();
  hosts.topology = 'hosts';
  Object.assign(hosts.variants[2] ?? {}, { id: "it's" });
  assert.match(
    repeatLines(hosts).join('\n'),
    /^plait bench --server .*\nplait bench .*--client 'it'\\''s=ADDRESS' /,
  );
});

/** Relative luminance and contrast: WCAG 2.2. */
function contrast(one: string, other: string): number {
  const luminance = (colour: string): number => {
    const [red = 0, green = 0, blue = 0] = [1, 3, 5]
      .map((at) => Number.parseInt(colour.slice(at, at + 2), 16) / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

test('text and bars stand out from their paper, in both themes', () => {
  const roles: Role[] = ['bare', 'kernel', 'plait', 'docker', 'other', 'other', 'other'];
  const variants = roles.map((role, index) => ({ id: `v${index}`, title: role, role }));
  const light = variants.map((variant) => colourOf(variant, variants));
  assert.is(new Set(light).size, roles.length);
  for (const [index, colour] of light.entries()) {
    const least = roles[index] === 'bare' ? 3 : 4.5; // overlays' bars carry text in the paper's colour
    const dark = new RegExp(`\\[fill="${colour}"\\]\\{fill:(#\\w{6})\\}`).exec(darkRules())?.[1] ?? '';
    assert.ok(
      contrast(colour, SURFACE.paper.light) >= 3,
      `${colour}: ${contrast(colour, SURFACE.paper.light)}`,
    );
    assert.ok(contrast(dark, SURFACE.paper.dark) >= least, `${dark}: ${contrast(dark, SURFACE.paper.dark)}`);
  }
  for (const theme of ['light', 'dark'] as const)
    for (const text of ['ink', 'muted'] as const)
      assert.ok(contrast(SURFACE[text][theme], SURFACE.paper[theme]) >= 4.5, `${text}, ${theme}`);
});

const refused: [string, string, RegExp][] = [
  ['what is no JSON', 'nonsense', /it is no JSON object$/],
  ['another version', JSON.stringify({ ...sampleResult(), version: 2 }), /version: .*1/],
  ['a figure that is none', JSON.stringify({ ...sampleResult(), seconds: 'three' }), /seconds: .*number/],
  [
    'a field too few',
    JSON.stringify({ ...sampleResult(), tables: [{ offloads: 'on' }] }),
    /tables\.0\.rows: /,
  ],
];

test('a result written is read back, with fields of later versions; anything else is refused by name', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'plait-bench-'));
  try {
    const file = join(directory, 'result.json');
    const later = { ...sampleResult(), later: 1 };
    await writeFile(file, JSON.stringify(later));
    assert.equal(await readResult(file), later);
    for (const [what, text, expected] of refused) {
      await writeFile(file, text);
      const error = await readResult(file).catch((cause: unknown) => cause);
      assert.instance(error, PlaitError, what);
      assert.match((error as PlaitError).message, new RegExp(`^read result ${file}: `));
      assert.match((error as PlaitError).message, expected);
    }
    const absent = await readResult(join(directory, 'absent')).catch((cause: unknown) => cause);
    assert.match((absent as Error).message, /ENOENT/);
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('files are written where they are asked for, and a place that is not there is told before anything is measured', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'plait-bench-'));
  try {
    const [html, picture] = [join(directory, 'page.html'), join(directory, 'picture.svg')];
    await (await prepareReports({ html, picture }))(sampleResult());
    assert.match(await readFile(html, 'utf8'), /^<!DOCTYPE html>/);
    assert.is(parseMarkup(await readFile(picture, 'utf8'))[0]?.tag, 'svg');
    const nowhere = join(directory, 'absent', 'page.html');
    const error = await prepareReports({ html: nowhere }).catch((cause: unknown) => cause);
    assert.match((error as PlaitError).message, new RegExp(`^write ${nowhere}: `));
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('plait bench --from makes table, page and picture of a saved result, and measures nothing', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'plait-bench-'));
  try {
    const [file, html, picture] = ['result.json', 'page.html', 'picture.svg'].map((name) =>
      join(directory, name),
    );
    await writeFile(file ?? '', JSON.stringify(sampleResult()));
    const words = ['bench', '--from', file, '--html', html, '--picture', picture] as string[];
    const printed = execFileSync(process.execPath, [CLI, ...words], { encoding: 'utf8' });
    assert.match(printed, /Plait/);
    assert.is(parseMarkup(await readFile(html ?? '', 'utf8'))[0]?.tag, 'html');
    assert.is(await readFile(picture ?? '', 'utf8'), `${drawPicture(draw, sampleResult()).text}\n`);
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('the README shows the picture that this code makes of the figures beside it', async () => {
  const place = join(import.meta.dirname, '..', '..', '..', 'src', 'bench', 'page');
  const result = await readResult(join(place, 'measured.json'));
  const picture = await readFile(join(place, 'measured.svg'), 'utf8');
  assert.is(picture, `${drawPicture(draw, result).text}\n`);
  const readme = await readFile(join(place, '..', '..', '..', 'README.md'), 'utf8');
  assert.match(readme, /!\[[^\]]+\]\(src\/bench\/page\/measured\.svg\)/);
});

test.run();
