/*
 * What a worker may ask of etcd. etcd's own permissions do not hold against a hostile client (a transaction within a
 * transaction, a watch without an end, the alarm), so every call that it may make is named here, and all others are refused.
 *
 *     reads    all below /plait/ but secrets/
 *     writes   nodes/<own id> and alive/<own id>, under a lease of its own
 *     leases   its own
 *
 * Pure: keys are compared as bytes, as etcd does.
 */
import { aliveKey, nodeKey, PREFIX, SECRETS } from '../../store/keys.js';
import type { LeaseGrant, Long, Put, Range, RequestOp, Txn, WatchRequest } from './messages.js';

/** Why not; undefined: it may. */
export type Verdict = string | undefined;

/** Transactions in transactions: ours have one level. */
const DEPTH = 4;
const TTL_MIN = 5n;
const TTL_MAX = 600n;

export interface Asker {
  /** Id of the node. */
  readonly node: string;
  /** Whether a lease is its own; decimal. */
  readonly ownsLease: (lease: string) => Promise<boolean>;
}

const prefix = Buffer.from(PREFIX);
const prefixEnd = after(prefix);
const secrets = Buffer.from(SECRETS);
const secretsEnd = after(secrets);

/** The first key behind all that begin with the prefix. */
function after(start: Buffer): Buffer {
  const end = Buffer.from(start);
  end[end.length - 1] = (end.at(-1) ?? 0) + 1;
  return end;
}

export function judgeRange({ key, rangeEnd }: Range): Verdict {
  const from = bytes(key);
  const to = bytes(rangeEnd);
  if (!isWithin(from, prefix, prefixEnd)) return `key ${show(from)} is not below ${PREFIX}`;
  if (to.length === 0)
    return isWithin(from, secrets, secretsEnd) ? `key ${show(from)} is for managers` : undefined;
  if (to.equals(Buffer.of(0))) return `a range from ${show(from)} without an end`;
  if (to.compare(prefixEnd) > 0) return `the range to ${show(to)} leaves ${PREFIX}`;
  const overlaps = from.compare(secretsEnd) < 0 && to.compare(secrets) > 0;
  return overlaps ? `the range from ${show(from)} to ${show(to)} has keys for managers` : undefined;
}

export async function judgePut({ key, lease }: Put, asker: Asker): Promise<Verdict> {
  const text = bytes(key);
  if (!ownKeys(asker.node).some((own) => own.equals(text))) return `key ${show(text)} is not the node's own`;
  const id = decimal(lease);
  return id === '0' || (await asker.ownsLease(id)) ? undefined : `lease ${id} is not the node's own`;
}

export function judgeDelete({ key, rangeEnd }: Range, { node }: Asker): Verdict {
  const text = bytes(key);
  if (bytes(rangeEnd).length > 0) return 'a deletion of a range';
  return ownKeys(node).some((own) => own.equals(text))
    ? undefined
    : `key ${show(text)} is not the node's own`;
}

export async function judgeTxn(
  { compare = [], success = [], failure = [] }: Txn,
  asker: Asker,
  depth = 0,
): Promise<Verdict> {
  if (depth >= DEPTH) return `transactions within ${DEPTH} transactions`;
  for (const range of compare) {
    const verdict = judgeRange(range);
    if (verdict !== undefined) return verdict;
  }
  for (const op of [...success, ...failure]) {
    const verdict = await judgeOp(op, asker, depth);
    if (verdict !== undefined) return verdict;
  }
  return undefined;
}

/** Of several in one, etcd would take the last: only what is alone is judged as what it is. */
async function judgeOp(op: RequestOp, asker: Asker, depth: number): Promise<Verdict> {
  if (Object.keys(op).length !== 1) return 'several operations in one';
  if (op.requestRange) return judgeRange(op.requestRange);
  if (op.requestPut) return judgePut(op.requestPut, asker);
  if (op.requestDeleteRange) return judgeDelete(op.requestDeleteRange, asker);
  if (op.requestTxn) return judgeTxn(op.requestTxn, asker, depth + 1);
  return 'an operation that is not known';
}

export function judgeWatch(request: WatchRequest): Verdict {
  if (Object.keys(request).length !== 1) return 'several requests in one';
  const { createRequest, cancelRequest, progressRequest } = request;
  if (createRequest) return judgeRange(createRequest);
  return cancelRequest || progressRequest ? undefined : 'a request that is not known';
}

export function judgeGrant({ TTL, ID }: LeaseGrant): Verdict {
  const ttl = BigInt(decimal(TTL));
  if (decimal(ID) !== '0') return 'a lease with an id that was chosen';
  return ttl >= TTL_MIN && ttl <= TTL_MAX
    ? undefined
    : `a lease of ${ttl} s, and ${TTL_MIN} to ${TTL_MAX} are allowed`;
}

export async function judgeLease(id: Long | undefined, { ownsLease }: Asker): Promise<Verdict> {
  return (await ownsLease(decimal(id))) ? undefined : `lease ${decimal(id)} is not the node's own`;
}

export function decimal(value: Long | undefined): string {
  return value === undefined ? '0' : value.toString();
}

function ownKeys(node: string): Buffer[] {
  return [nodeKey(node), aliveKey(node)].map((key) => Buffer.from(key));
}

function bytes(value: Uint8Array | undefined): Buffer {
  return Buffer.from(value ?? []);
}

function isWithin(key: Buffer, from: Buffer, to: Buffer): boolean {
  return key.compare(from) >= 0 && key.compare(to) < 0;
}

/** A key ends up in logs and on terminals. */
function show(key: Buffer): string {
  return JSON.stringify(key.toString('utf8').slice(0, 120));
}
