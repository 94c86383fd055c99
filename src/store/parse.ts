/** Values of etcd as records: parsed at the edge, a bad one is told and skipped. */
import type { z } from 'zod';
import { BadRecord } from '../model/errors.js';
import {
  type Endpoint,
  endpointSchema,
  type Network,
  type Node,
  networkSchema,
  nodeSchema,
} from '../model/records.js';
import { endpointKey, networkKey, nodeKey } from './keys.js';
import type { Entry } from './store.js';

export type Parser<T> = (entry: Pick<Entry, 'key' | 'value'>) => T;

/** Each throws BadRecord. The record must also be the one that its key names. */
export const parseNode = parser<Node>(nodeSchema, (node) => nodeKey(node.id));
export const parseNetwork = parser<Network>(networkSchema, (network) => networkKey(network.id));
export const parseEndpoint = parser<Endpoint>(endpointSchema, endpointKey);

/** A record that does not name itself: the one of a fixed key. */
export function parseAs<T>(schema: z.ZodType<T>, entry: Pick<Entry, 'key' | 'value'>): T {
  return parser(schema, () => entry.key)(entry);
}

function parser<T>(schema: z.ZodType<T>, keyOf: (record: T) => string): Parser<T> {
  return ({ key, value }) => {
    const result = schema.safeParse(parseJson(key, value));
    if (!result.success) {
      const [issue] = result.error.issues;
      throw new BadRecord(key, `${issue?.path.join('.') || 'value'}: ${issue?.message ?? 'does not fit'}`);
    }
    if (keyOf(result.data) !== key) throw new BadRecord(key, `is the record of ${keyOf(result.data)}`);
    return result.data;
  };
}

function parseJson(key: string, value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    throw new BadRecord(key, 'not JSON');
  }
}

export interface Parsed<T> {
  readonly records: T[];
  readonly bad: BadRecord[];
}

export function parseAll<T>(entries: Iterable<Entry>, parse: Parser<T>): Parsed<T> {
  const records: T[] = [];
  const bad: BadRecord[] = [];
  for (const entry of entries) {
    try {
      records.push(parse(entry));
    } catch (error) {
      if (!(error instanceof BadRecord)) throw error;
      bad.push(error);
    }
  }
  return { records, bad };
}
