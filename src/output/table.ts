/* Tables as Docker prints them: a line of titles, columns three spaces apart, no rules. */
import { stripVTControlCharacters } from 'node:util';

const GAP = '   ';

export interface Column<T> {
  readonly title: string;
  /** The cell, whole: `short` makes it fit a terminal. */
  readonly text: (row: T) => string;
  readonly short?: (text: string) => string;
  readonly align?: 'right';
}

/** @param whole print cells as they are, as `--no-trunc` asks */
export function formatTable<T>(columns: readonly Column<T>[], rows: readonly T[], whole = false): string {
  const cells = rows.map((row) =>
    columns.map(({ text, short }) => (whole || !short ? text(row) : short(text(row)))),
  );
  const right = columns.map(({ align }) => align === 'right');
  return formatLines([columns.map(({ title }) => title), ...cells], right);
}

/** Cells in aligned columns; the last one of a line is not padded. */
export function formatLines(lines: readonly (readonly string[])[], right: readonly boolean[] = []): string {
  const widths: number[] = [];
  for (const line of lines) {
    line.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, width(cell));
    });
  }
  const pad = (cell: string, i: number, isLast: boolean) => {
    const missing = ' '.repeat((widths[i] ?? 0) - width(cell));
    if (right[i]) return missing + cell;
    return isLast ? cell : cell + missing;
  };
  return lines
    .map((line) =>
      line
        .map((cell, i) => pad(cell, i, i === line.length - 1))
        .join(GAP)
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('');
}

function width(cell: string): number {
  return stripVTControlCharacters(cell).length;
}
