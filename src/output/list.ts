/* What every `ls` does with its rows: filter them, then ids, JSON, a template or a table. */
import { UsageError } from './errors.js';
import { type Column, formatLines, formatTable } from './table.js';
import { compileTemplate, templateTitles } from './template.js';

/** The options of every `ls`, as commander parsed them. */
export interface ListOptions {
  readonly quiet?: boolean;
  readonly filter?: readonly string[];
  readonly format?: string;
  /** False for --no-trunc. */
  readonly trunc?: boolean;
}

export type Filters<T> = Readonly<Record<string, (row: T, value: string) => boolean>>;

export interface Listing<T> {
  readonly columns: readonly Column<T>[];
  readonly filters: Filters<T>;
  /** What -q prints. */
  readonly id: (row: T) => string;
}

/** The text that `ls` prints for these rows. Throws UsageError, for a filter or a format that does not exist. */
export function formatList<T>(rows: readonly T[], listing: Listing<T>, options: ListOptions): string {
  const kept = applyFilters(rows, listing.filters, options.filter ?? []);
  const { format = 'table', quiet = false, trunc = true } = options;
  if (format === 'json') return `${JSON.stringify(kept, null, 2)}\n`;
  if (quiet) return kept.map((row) => `${listing.id(row)}\n`).join('');
  if (format === 'table') return formatTable(listing.columns, kept, !trunc);

  const withTitles = /^table\s+/.exec(format);
  const source = withTitles ? format.slice(withTitles[0].length) : format;
  const lines = kept.map(compileTemplate(source, listing.columns));
  if (!withTitles) return lines.map((line) => `${line}\n`).join('');
  return formatLines([templateTitles(source), ...lines].map((line) => line.split('\t')));
}

/** Rows that every key is content with; several values of one key mean any of them, as in Docker. */
export function applyFilters<T>(rows: readonly T[], filters: Filters<T>, given: readonly string[]): T[] {
  const wanted = new Map<string, string[]>();
  for (const text of given) {
    const [, key = '', value = ''] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
    if (!Object.hasOwn(filters, key)) {
      const keys = Object.keys(filters).join(', ');
      throw new UsageError(`option --filter ${text}: not a filter`, `give key=value with a key of: ${keys}`);
    }
    wanted.set(key, [...(wanted.get(key) ?? []), value]);
  }
  return rows.filter((row) =>
    [...wanted].every(([key, values]) => values.some((value) => filters[key]?.(row, value))),
  );
}

/** A filter for what is so or not. Throws UsageError for what means neither. */
export function isSo(key: string, actual: boolean, wanted: string): boolean {
  if (['true', 'yes'].includes(wanted)) return actual;
  if (['false', 'no'].includes(wanted)) return !actual;
  throw new UsageError(`option --filter ${key}=${wanted}: neither true nor false`);
}

/** A filter for labels: `label=key` or `label=key=value`. */
export function hasLabel(
  row: { readonly labels: Readonly<Record<string, string>> },
  wanted: string,
): boolean {
  const [key = '', ...rest] = wanted.split('=');
  if (!Object.hasOwn(row.labels, key)) return false;
  return rest.length === 0 || row.labels[key] === rest.join('=');
}
