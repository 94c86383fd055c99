import type { Command } from 'commander';
import type { MapAnswer, MapDumpAnswer } from '../../model/api.js';
import { formatList, type Listing, type ListOptions } from '../../output/list.js';
import { print, say } from '../../output/print.js';
import type { Column } from '../../output/table.js';
import type { DumpFlags } from '../map.js';
import { clientOf } from './common.js';
import { checkAddresses } from './values.js';

type Row = Record<string, unknown>;

const maps: Listing<MapAnswer> = {
  id: ({ name }) => name,
  columns: [
    { title: 'NAME', text: ({ name }) => name },
    { title: 'TYPE', text: ({ type }) => type },
    { title: 'ENTRIES', text: ({ entries }) => String(entries), align: 'right' },
    {
      title: 'MAX',
      text: ({ maxEntries }) => (maxEntries === null ? '-' : String(maxEntries)),
      align: 'right',
    },
  ],
  filters: {
    name: (map, value) => map.name.includes(value),
    type: (map, value) => map.type === value,
  },
};

export async function listMaps(flags: ListOptions, command: Command): Promise<void> {
  print(formatList(await clientOf(command).get<MapAnswer[]>('/v1/maps'), maps, flags));
}

export async function dumpMap(name: string, flags: DumpFlags, command: Command): Promise<void> {
  checkAddresses('--ip', flags.ip === undefined ? [] : [flags.ip]);
  const format = flags.json ? 'json' : flags.format;
  const query = new URLSearchParams();
  if (flags.vni !== undefined) query.set('vni', String(flags.vni));
  if (flags.mac !== undefined) query.set('mac', flags.mac);
  if (flags.ip !== undefined) query.set('ip', flags.ip);
  const { rows } = await clientOf(command).get<MapDumpAnswer>(
    `/v1/maps/${encodeURIComponent(name)}${query.size > 0 ? `?${query}` : ''}`,
  );
  if (rows.length === 0 && format === 'table')
    return say(`no rows in ${name}${query.size > 0 ? ' like that' : ''}`);
  const listing: Listing<Row> = { id: () => '', filters: {}, columns: columnsOf(rows) };
  print(formatList(rows, listing, { format }));
}

/** The fields that occur, in the order in which they first do. */
function columnsOf(rows: readonly Row[]): Column<Row>[] {
  const fields = new Set(rows.flatMap((row) => Object.keys(row)));
  return [...fields].map((field) => ({
    title: titleOf(field),
    text: (row) => cell(row[field]),
    ...(rows.every((row) => typeof row[field] === 'number') ? { align: 'right' as const } : {}),
  }));
}

function titleOf(field: string): string {
  return field.replace(/([a-z0-9])([A-Z])/g, '$1 $2').toUpperCase();
}

function cell(value: unknown): string {
  if (value === undefined || value === null || value === '') return '-';
  if (Array.isArray(value)) return value.map(cell).join(',') || '-';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
