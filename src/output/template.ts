/*
 * `--format '{{.Name}}\t{{.Addresses}}'`: the part of Docker's templates that people use. A placeholder is a column's
 * title or a path into the record as JSON has it (`.network.name`), in any case; `{{json .}}` and `{{json .path}}`
 * print JSON. `\t` and `\n` are what they look like.
 */

import { UsageError } from './errors.js';
import type { Column } from './table.js';

const placeholderRule = /\{\{\s*(json\s+)?\.([\w.]*)\s*\}\}/g;

export type Template<T> = (row: T) => string;

/** @throws UsageError for what is no template */
export function compileTemplate<T>(source: string, columns: readonly Column<T>[] = []): Template<T> {
  const text = source.replaceAll('\\t', '\t').replaceAll('\\n', '\n');
  if (/\{\{|\}\}/.test(text.replace(placeholderRule, '')) || !text.includes('{{')) {
    throw new UsageError(
      `option --format ${source}: not table, json or a template`,
      "a template reads like '{{.Name}} {{.ID}}' or '{{json .}}'",
    );
  }
  return (row) =>
    text.replace(placeholderRule, (_, json: string | undefined, path: string) =>
      json ? JSON.stringify(path === '' ? row : field(row, path)) : asText(value(row, path, columns), path),
    );
}

/** The titles that `table {{…}}` prints above. */
export function templateTitles(source: string): string {
  const text = source.replaceAll('\\t', '\t');
  return text.replace(placeholderRule, (_, _json, path: string) => path.toUpperCase());
}

function value<T>(row: T, path: string, columns: readonly Column<T>[]): unknown {
  const column = columns.find(({ title }) => normalize(title) === normalize(path));
  return column ? column.text(row) : field(row, path);
}

function field(row: unknown, path: string): unknown {
  let at = row;
  for (const step of path.split('.')) {
    if (typeof at !== 'object' || at === null) return undefined;
    const entries: [string, unknown][] = Object.entries(at);
    at = entries.find(([key]) => normalize(key) === normalize(step))?.[1];
  }
  return at;
}

function asText(found: unknown, path: string): string {
  if (found === undefined) throw new UsageError(`option --format {{.${path}}}: there is no such field`);
  if (found === null) return '';
  return typeof found === 'object' ? JSON.stringify(found) : String(found);
}

function normalize(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, '');
}
