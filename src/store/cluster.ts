/**
 * What managers keep of the cluster itself: its settings, who is a member, the certificate authority, the join tokens. The
 * last two can be read by managers alone.
 */
import type { ZodType } from 'zod';
import {
  type CaRecord,
  caRecordSchema,
  ROLES,
  type Role,
  type TokenRecord,
  tokenRecordSchema,
} from '../cluster/pki/records.js';
import {
  type Cluster,
  clusterSchema,
  type ExternalEtcd,
  externalEtcdSchema,
  type Spec,
  specSchema,
} from '../cluster/records.js';
import { NotFound } from '../model/errors.js';
import { changeEntry } from './change.js';
import { AUTHORITY, CLUSTER, EXTERNAL_ETCD, lastPart, SPECS, specKey, tokenKey } from './keys.js';
import { absent, put, remove } from './operations.js';
import { parseAll, parseAs } from './parse.js';
import type { Entry, Store } from './store.js';

/** Everything that a new cluster begins with. */
export interface FirstRecords {
  readonly cluster: Cluster;
  readonly authority: CaRecord;
  readonly tokens: Readonly<Record<Role, TokenRecord>>;
  readonly node: string;
  readonly spec: Spec;
  /** Of a cluster whose managers do not run etcd. */
  readonly externalEtcd?: ExternalEtcd | undefined;
}

/** Writes them, all or none; false if there is a cluster already. */
export async function createCluster(store: Store, first: FirstRecords): Promise<boolean> {
  const { succeeded } = await store.txn(
    [absent(CLUSTER)],
    [
      put(CLUSTER, JSON.stringify(first.cluster)),
      put(AUTHORITY, JSON.stringify(first.authority)),
      ...ROLES.map((role) => put(tokenKey(role), JSON.stringify(first.tokens[role]))),
      put(specKey(first.node), JSON.stringify(first.spec)),
      ...(first.externalEtcd ? [put(EXTERNAL_ETCD, JSON.stringify(first.externalEtcd))] : []),
    ],
  );
  return succeeded;
}

export async function getCluster(store: Store): Promise<Cluster | undefined> {
  return read(store, CLUSTER, clusterSchema);
}

/** Undefined where managers run etcd themselves. */
export async function getExternalEtcd(store: Store): Promise<ExternalEtcd | undefined> {
  return read(store, EXTERNAL_ETCD, externalEtcdSchema);
}

/** Throws NotFound where there is none. */
export async function getAuthority(store: Store): Promise<CaRecord> {
  const found = await read(store, AUTHORITY, caRecordSchema);
  if (found === undefined) throw new NotFound('certificate authority', 'in etcd');
  return found;
}

/** Replaces it if it still is what was read. Throws StoreConflict otherwise. */
export async function changeAuthority(
  store: Store,
  change: (before: CaRecord) => CaRecord | undefined,
): Promise<CaRecord> {
  return changeRecord(store, AUTHORITY, caRecordSchema, change, 'change the certificate authority');
}

export async function getToken(store: Store, role: Role): Promise<TokenRecord> {
  const found = await read(store, tokenKey(role), tokenRecordSchema);
  if (found === undefined) throw new NotFound('join token', role);
  return found;
}

export async function putToken(store: Store, role: Role, token: TokenRecord): Promise<void> {
  await store.txn([], [put(tokenKey(role), JSON.stringify(token))]);
}

export async function getSpec(store: Store, node: string): Promise<Spec | undefined> {
  return read(store, specKey(node), specSchema);
}

export interface SpecOf {
  readonly node: string;
  readonly spec: Spec;
}

export function parseSpecOf(entry: Pick<Entry, 'key' | 'value'>): SpecOf {
  return { node: lastPart(entry.key), spec: parseAs(specSchema, entry) };
}

export async function listSpecs(store: Store): Promise<Map<string, Spec>> {
  const { entries } = await store.list(SPECS);
  return new Map(parseAll(entries, parseSpecOf).records.map(({ node, spec }) => [node, spec]));
}

/** False if the node has one already. */
export async function createSpec(store: Store, node: string, spec: Spec): Promise<boolean> {
  const key = specKey(node);
  return (await store.txn([absent(key)], [put(key, JSON.stringify(spec))])).succeeded;
}

/** Throws NotFound, StoreConflict. `change` may return undefined for: as it is. */
export function changeSpec(
  store: Store,
  node: string,
  change: (before: Spec) => Spec | undefined,
): Promise<Spec> {
  return changeRecord(store, specKey(node), specSchema, change, `change node ${node}`);
}

export async function deleteSpec(store: Store, node: string): Promise<void> {
  await store.txn([], [remove(specKey(node))]);
}

async function changeRecord<T>(
  store: Store,
  key: string,
  schema: ZodType<T>,
  change: (before: T) => T | undefined,
  doing: string,
): Promise<T> {
  const after = await changeEntry(store, key, (entry) => parseAs(schema, entry), change, doing);
  if (after === undefined) throw new NotFound('record', key);
  return after;
}

async function read<T>(store: Store, key: string, schema: ZodType<T>): Promise<T | undefined> {
  const entry = await store.get(key);
  return entry === undefined ? undefined : parseAs(schema, entry);
}
