/* `endpoint add`: one endpoint from options, or many from a file. */
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import type { Command } from 'commander';
import type { DeclaredAnswer, DeclareRequest } from '../../model/api.js';
import { UsageError } from '../../output/errors.js';
import { print, warn } from '../../output/print.js';
import type { DeclareFlags } from '../endpoint.js';
import { clientOf } from './common.js';
import { checkAddresses, checkName } from './values.js';

/** Rows per request: what is done stays done if a later one fails, and is known, since its ids are printed. */
const BATCH = 1000;
/** For the answer to a batch, in milliseconds. */
const BATCH_TIMEOUT = 300_000;

export async function declareEndpoints(flags: DeclareFlags, command: Command): Promise<void> {
  const rows = flags.file === undefined ? [rowOf(flags)] : await readRows(flags.file, flags);
  const client = clientOf(command);
  for (let at = 0; at < rows.length; at += BATCH) {
    const batch = rows.slice(at, at + BATCH);
    const answer = await client.post<DeclaredAnswer>('/v1/endpoints/declared', batch, BATCH_TIMEOUT);
    answer.warnings.forEach(warn);
    for (const { id } of answer.endpoints) print(id);
  }
}

function rowOf(flags: DeclareFlags): DeclareRequest {
  const { network, name, vtep, mac, ip, alias, label } = flags;
  if (network === undefined) throw missing('--network');
  if (name === undefined) throw missing('--name');
  if (vtep === undefined) throw missing('--vtep');
  if (mac === undefined) throw missing('--mac');
  if (ip === undefined) throw missing('--ip');
  checkName('option --name', name);
  checkAddresses('--vtep', [vtep]);
  checkAddresses('--ip', ip);
  return { network, name, vtep, mac, ip, aliases: alias, labels: label };
}

async function readRows(file: string, { network }: DeclareFlags): Promise<DeclareRequest[]> {
  const name = file === '-' ? 'stdin' : file;
  const content = await readContent(file, name);
  let rows: unknown;
  try {
    rows = JSON.parse(content);
  } catch (error) {
    throw new UsageError(`read ${name}: not JSON: ${error instanceof Error ? error.message : error}`);
  }
  if (!Array.isArray(rows) || rows.some((row) => typeof row !== 'object' || row === null)) {
    throw new UsageError(`read ${name}: not an array of objects`, 'see `plait endpoint add --help`');
  }
  // The agent checks the fields: it names the row and the field that are wrong.
  return rows.map((row: DeclareRequest) => (network === undefined ? row : { ...row, network }));
}

async function readContent(file: string, name: string): Promise<string> {
  try {
    return file === '-' ? await text(process.stdin) : await readFile(file, 'utf8');
  } catch (error) {
    throw new UsageError(`read ${name}: ${(error as NodeJS.ErrnoException).code ?? error}`);
  }
}

function missing(option: string): UsageError {
  return new UsageError(`option ${option}: it is missing`, 'see `plait endpoint add --help`');
}
