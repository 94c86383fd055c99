#!/usr/bin/env node
// libbpf-ts-gen OBJECT [OUTPUT] [--type 'struct x']… [--check]
// Writes TypeScript for the types of a BPF object to OUTPUT (stdout by default), only when it changes. --check writes
// nothing and exits 1 when OUTPUT is stale.
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { BpfError, generateTypes } from '../lib/index.js';

const usage = "usage: libbpf-ts-gen OBJECT [OUTPUT] [--type 'struct x']... [--check]\n";

function existing(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function emit(text: string, output: string | undefined, checkOnly: boolean): number {
  if (output === undefined) {
    process.stdout.write(text);
    return 0;
  }
  if (existing(output) === text) return 0;
  if (checkOnly) {
    process.stderr.write(`check ${output}: it is stale\n`);
    return 1;
  }
  writeFileSync(output, text);
  return 0;
}

function main(args: string[]): number {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      type: { type: 'string', multiple: true, default: [] },
      check: { type: 'boolean', default: false },
    },
  });
  const [object, output, ...rest] = positionals;
  if (object === undefined || rest.length > 0 || (values.check && output === undefined)) {
    process.stderr.write(usage);
    return 2;
  }
  return emit(generateTypes(object, { types: values.type }), output, values.check);
}

try {
  process.exitCode = main(process.argv.slice(2));
} catch (error) {
  const known = error instanceof BpfError || error instanceof TypeError;
  process.stderr.write(known ? `${error.message}\n` : `${(error as Error).stack}\n`);
  process.exitCode = error instanceof TypeError ? 2 : 1;
}
