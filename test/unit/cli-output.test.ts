/* Tables, filters, templates and texts. Pure. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { describeDrop } from '../../src/commands/actions/drops.js';
import { wantsColour } from '../../src/output/colour.js';
import { describeError, exitCodeOf, UsageError } from '../../src/output/errors.js';
import { formatList, hasLabel, isSo, type Listing, type ListOptions } from '../../src/output/list.js';
import { formatTable } from '../../src/output/table.js';
import { compileTemplate } from '../../src/output/template.js';
import { formatBytes, formatDuration, shortId } from '../../src/output/text.js';

interface Row {
  id: string;
  name: string;
  network: { name: string; vni: number };
  labels: Record<string, string>;
}

const rows: Row[] = [
  {
    ...{ id: 'a1b2c3d4e5f6g7h8', name: 'web' },
    ...{ network: { name: 'app', vni: 4096 }, labels: { tier: 'front' } },
  },
  { id: 'b1b2c3d4e5f6g7h8', name: 'database', network: { name: 'db', vni: 70000 }, labels: {} },
];
const listing: Listing<Row> = {
  id: ({ id }) => id,
  columns: [
    { title: 'ID', text: ({ id }) => id, short: shortId },
    { title: 'VNI', text: ({ network }) => String(network.vni), align: 'right' },
    { title: 'NETWORK', text: ({ network }) => network.name },
  ],
  filters: { name: (row, value) => row.name.includes(value), label: hasLabel },
};

const test = suite('output');

const formats: [string, ListOptions, string][] = [
  [
    'a table with short ids',
    {},
    'ID               VNI   NETWORK\na1b2c3d4e5f6    4096   app\nb1b2c3d4e5f6   70000   db\n',
  ],
  [
    'whole ids on demand',
    { trunc: false },
    'ID                   VNI   NETWORK\na1b2c3d4e5f6g7h8    4096   app\nb1b2c3d4e5f6g7h8   70000   db\n',
  ],
  ['ids only, whole', { quiet: true }, 'a1b2c3d4e5f6g7h8\nb1b2c3d4e5f6g7h8\n'],
  ['a template', { format: '{{.Network}}: {{ .name }}' }, 'app: web\ndb: database\n'],
  [
    'a template with titles',
    { format: 'table {{.ID}}\\t{{.Name}}' },
    'ID                 NAME\na1b2c3d4e5f6g7h8   web\nb1b2c3d4e5f6g7h8   database\n',
  ],
  ['what a filter keeps', { quiet: true, filter: ['name=data'] }, 'b1b2c3d4e5f6g7h8\n'],
  [
    'what either value keeps',
    { quiet: true, filter: ['name=data', 'name=web'] },
    'a1b2c3d4e5f6g7h8\nb1b2c3d4e5f6g7h8\n',
  ],
  ['what all keys keep', { quiet: true, filter: ['name=data', 'label=tier'] }, ''],
  ['by label and value', { quiet: true, filter: ['label=tier=front'] }, 'a1b2c3d4e5f6g7h8\n'],
  ['nothing by another value', { quiet: true, filter: ['label=tier=back'] }, ''],
];
for (const [what, options, expected] of formats) {
  test(`a list prints ${what}`, () => {
    assert.is(formatList(rows, listing, options), expected);
  });
}

test('a list as JSON is one array of whole records, also when it is empty', () => {
  assert.equal(JSON.parse(formatList(rows, listing, { format: 'json' })), rows);
  assert.is(formatList([], listing, { format: 'json' }), '[]\n');
});

test('an empty list has its titles', () => {
  assert.is(formatList([], listing, {}), 'ID   VNI   NETWORK\n');
});

test('a filter that does not exist is a usage error that names those that do', () => {
  for (const filter of ['colour=red', 'name', '=x', 'toString=1']) {
    assert.throws(
      () => formatList(rows, listing, { filter: [filter] }),
      (error: unknown) => error instanceof UsageError && /key of: name, label/.test(error.hint ?? ''),
    );
  }
});

test('a filter for what is so or not takes true, yes, false and no, and nothing else', () => {
  assert.equal(
    ['true', 'yes', 'false', 'no'].map((wanted) => isSo('live', true, wanted)),
    [true, true, false, false],
  );
  assert.throws(
    () => isSo('live', true, 'maybe'),
    (error: unknown) => error instanceof UsageError && /--filter live=maybe: neither/.test(error.message),
  );
});

const drop = {
  ...{ time: '2026-01-01T00:00:00.000Z', reason: 'spoofed-ip', description: "not the endpoint's" },
  ...{ hook: 'from_container', ifindex: 7, ifname: 'pl1', vni: 4096, length: 98, head: '66b21beb' },
  summary: '0a:00:00:00:00:01 > 0a:00:00:00:00:02 10.0.0.2:80 > 10.0.0.3:4000 tcp',
};

test('a followed drop is a line that says who sent what to whom, without its bytes', () => {
  const line = `2026-01-01T00:00:00.000Z spoofed-ip: ${drop.summary}, vni 4096, 98 bytes, from_container on pl1 (not the endpoint's)`;
  assert.is(describeDrop(drop), line);
});

test('a followed drop without a network or a device name says what is known', () => {
  const text = describeDrop({ ...drop, vni: 0, ifname: null });
  assert.match(text, / tcp, 98 bytes, from_container on interface 7 /);
});

const templates: [string, string][] = [
  ['{{.network.name}}', 'app'],
  ['{{.NETWORK.VNI}}', '4096'],
  ['{{json .}}', JSON.stringify(rows[0])],
  ['{{json .labels}}', '{"tier":"front"}'],
  ['{{.labels}}', '{"tier":"front"}'],
  ['a\\tb{{.name}}', 'a\tbweb'],
];
for (const [source, expected] of templates) {
  test(`the template ${source} gives ${expected}`, () => {
    assert.is(compileTemplate<Row>(source)(rows[0] as Row), expected);
  });
}

for (const source of ['yaml', '{{.Name', '{{range .}}', 'Name}}', '{{.name}} {{if}}']) {
  test(`"${source}" is no template`, () => {
    assert.throws(
      () => compileTemplate(source),
      (error: unknown) => error instanceof UsageError,
    );
  });
}

test('a field that does not exist is a usage error, not an empty cell', () => {
  assert.throws(() => compileTemplate<Row>('{{.nmae}}')(rows[0] as Row), /no such field/);
});

test('colour does not shift columns', () => {
  const columns = [
    { title: 'A', text: (cell: string) => `\u001b[31m${cell}\u001b[39m` },
    { title: 'B', text: () => 'x' },
  ];
  assert.is(formatTable(columns, ['red']), 'A     B\n\u001b[31mred\u001b[39m   x\n');
});

const surroundings: [string, Parameters<typeof wantsColour>[0], boolean][] = [
  ['on a terminal', { isTTY: true, env: {} }, true],
  ['not in a pipe', { env: {} }, false],
  ['not with NO_COLOR', { isTTY: true, env: { NO_COLOR: '1' } }, false],
  ['with an empty NO_COLOR', { isTTY: true, env: { NO_COLOR: '' } }, true],
  ['not on a dumb terminal', { isTTY: true, env: { TERM: 'dumb' } }, false],
];
for (const [what, where, expected] of surroundings) {
  test(`colour ${what}`, () => {
    assert.is(wantsColour(where), expected);
  });
}

const sizes: [number, string][] = [
  [0, '0 B'],
  [1023, '1023 B'],
  [1536, '1.5 KiB'],
  [300 * 1024 * 1024, '300 MiB'],
];
for (const [bytes, expected] of sizes) {
  test(`${bytes} bytes read ${expected}`, () => {
    assert.is(formatBytes(bytes), expected);
  });
}

const durations: [number, string][] = [
  [0, '0s'],
  [59.9, '59s'],
  [303, '5m 3s'],
  [7200, '2h'],
  [2 * 86400 + 4 * 3600 + 61, '2d 4h'],
];
for (const [seconds, expected] of durations) {
  test(`${seconds} seconds read ${expected}`, () => {
    assert.is(formatDuration(seconds), expected);
  });
}

test('a failure is one line, and a hint if there is one', () => {
  assert.is(describeError(new Error('attach web: no')), 'plait: attach web: no');
  assert.is(
    describeError(new UsageError('option --x: bad', 'give y')),
    'plait: option --x: bad\nhint: give y',
  );
});

test('a usage error exits with 2, another with 1', () => {
  assert.is(exitCodeOf(new UsageError('x')), 2);
  assert.is(exitCodeOf(new Error('x')), 1);
});

test.run();
