// Enums as constant tables: `enum drop_reason { DROP_NONE, … DROP_REASONS }` becomes DropReason, dropReasonNames and
// dropReasonCount.
import type { BtfType } from './btf-parse.js';
import { camelCase, pascalCase } from './shape.js';

type Enum = BtfType & { kind: 'enum' };
type Entry = Enum['values'][number];

/** Leading words that all names share; a single name shares them with the enum's own name. */
function commonPrefix(names: readonly string[], enumName: string): string {
  const candidates = names.length === 1 ? [...names, `${enumName.toUpperCase()}_`] : names;
  const [first = '', ...others] = candidates.map((name) => name.split('_'));
  let words = 0;
  const limit = Math.min(...[first, ...others].map((parts) => parts.length)) - 1;
  while (words < limit && others.every((parts) => parts[words] === first[words])) words++;
  return words === 0 ? '' : `${(first as string[]).slice(0, words).join('_')}_`;
}

/** The last enumerator, when it only counts the others: EVENTS of enum event, FOO_MAX, NR_FOO. */
function countOf(type: Enum): Entry | undefined {
  const last = type.values.at(-1);
  if (!last || type.values.length < 2) return undefined;
  const plural = `${type.name.toUpperCase()}S`;
  const counts = last.name === plural || /(^|_)(MAX|COUNT|NUM|NR)(_|$)/.test(last.name);
  const others = type.values.slice(0, -1).map(({ value }) => value);
  const isNext = others.includes(last.value - 1n) && others.every((value) => value < last.value);
  return counts && isNext ? last : undefined;
}

function key(name: string): string {
  return /^[A-Za-z_$]/.test(name) ? name : `'${name}'`;
}

function literal(value: bigint, size: number): string {
  return size === 8 ? `${value}n` : `${value}`;
}

function namesSource(type: Enum, names: readonly string[], values: readonly Entry[]): string {
  const isDense = values.every(({ value }, i) => value === BigInt(i));
  const what = isDense ? 'Names by value' : 'Names in the order of declaration; the values have gaps';
  const list = names.map((name) => `  '${name}',\n`).join('');
  return `/** ${what}. */\nexport const ${camelCase(type.name)}Names: readonly string[] = [\n${list}];\n`;
}

export function enumSource(type: Enum): string {
  const count = countOf(type);
  const values = count ? type.values.slice(0, -1) : type.values;
  const prefix = commonPrefix(
    values.map(({ name }) => name),
    type.name,
  );
  const names = values.map(({ name }) => name.slice(prefix.length));
  const name = pascalCase(type.name);
  const rows = values.map(({ value }, i) => `  ${key(names[i] as string)}: ${literal(value, type.size)},\n`);
  const counted = count
    ? `\n/** ${count.name} */\nexport const ${camelCase(type.name)}Count = ${literal(count.value, type.size)};\n`
    : '';
  return (
    `/** enum ${type.name}${prefix ? `, names without ${prefix}` : ''}. */\n` +
    `export const ${name} = {\n${rows.join('')}} as const;\n\n` +
    `export type ${name} = (typeof ${name})[keyof typeof ${name}];\n\n` +
    `${namesSource(type, names, values)}${counted}`
  );
}
