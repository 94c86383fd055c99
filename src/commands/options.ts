/* Options that several commands share, and how their values are read. */
import { type Command, InvalidArgumentError, Option } from 'commander';

/** For an option that may be given several times. */
export function collect(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

/** For an option that may be given several times, or once with commas. */
export function collectList(value: string, before: readonly string[] = []): string[] {
  return [...before, ...value.split(',').filter((part) => part !== '')];
}

/** key=value, several times; a key without a value has an empty one, as in Docker. */
export function collectPairs(value: string, before: Record<string, string> = {}): Record<string, string> {
  const [, key, text = ''] = /^([^=]+)(?:=(.*))?$/s.exec(value) ?? [];
  if (key === undefined) throw new InvalidArgumentError('Give key=value.');
  return { ...before, [key]: text };
}

/** Reads a whole number from `from` to `to`. */
export function wholeNumber(from: number, to: number): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (/^\d+$/.test(value) && number >= from && number <= to) return number;
    throw new InvalidArgumentError(`Give a whole number from ${from} to ${to}.`);
  };
}

const UNITS: Readonly<Record<string, number>> = { d: 86_400, h: 3600, m: 60, s: 1 };

/** Reads a time such as 90d, 1h30m or 120s, in seconds, from `from` to `to` of them. */
export function duration(from: number, to: number): (value: string) => number {
  return (value) => {
    const parts = [...value.matchAll(/(\d+)([dhms])/g)];
    const seconds = parts.reduce((sum, [, count, unit = '']) => sum + Number(count) * (UNITS[unit] ?? 0), 0);
    const isWhole = parts.length > 0 && parts.map(([part]) => part).join('') === value;
    if (isWhole && seconds >= from && seconds <= to) return seconds;
    throw new InvalidArgumentError(`Give a time such as 90d, 36h or 2m, from ${from} s to ${to / 86_400} d.`);
  };
}

export function macAddress(value: string): string {
  if (/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(value)) return value.toLowerCase();
  throw new InvalidArgumentError('Give a MAC address such as 02:11:22:33:44:55.');
}

const formatHelp = "table, json, or a template such as '{{.ID}} {{.Name}}'";

/** What every `ls` takes. */
export function addListOptions(command: Command, filters: readonly string[]): Command {
  return command
    .option('-q, --quiet', 'print ids only')
    .option('-f, --filter <key=value>', `print only what matches; keys: ${filters.join(', ')}`, collect)
    .option('--format <format>', `${formatHelp}; "table <template>" adds titles`, 'table')
    .option('--no-trunc', 'print ids and addresses whole');
}

/** What every `inspect` takes. */
export function addInspectOptions(command: Command): Command {
  return command.option('--format <format>', "json, or a template such as '{{.mac}}'", 'json');
}

/** For commands that print one thing: text for people, or JSON. */
export function addJsonOptions(command: Command): Command {
  return command
    .addOption(new Option('--format <format>', 'how to print').choices(['text', 'json']).default('text'))
    .addOption(new Option('--json', 'same as --format json').implies({ format: 'json' }));
}
