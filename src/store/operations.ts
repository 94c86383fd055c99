/** The comparisons and operations that our transactions are made of. */
import type { ICompare, IRequestOp } from 'etcd3';

/**
 * etcd refuses a transaction of more comparisons, or of more operations, than its --max-txn-ops; this is the
 * default.
 */
export const MAX_TXN_OPS = 128;

export function absent(key: string): ICompare {
  return { target: 'Create', result: 'Equal', key: Buffer.from(key), create_revision: 0 };
}

export function present(key: string): ICompare {
  return { target: 'Create', result: 'Greater', key: Buffer.from(key), create_revision: 0 };
}

/** No key has the prefix. etcd compares every key of a range, and an empty range as a key never created. */
export function noneBelow(prefix: string): ICompare {
  return { ...absent(prefix), range_end: endOf(prefix) };
}

/** The key was not written since that revision; 0: it does not exist. */
export function unchanged(key: string, modRevision: string): ICompare {
  return { target: 'Mod', result: 'Equal', key: Buffer.from(key), mod_revision: modRevision };
}

export function holds(key: string, value: string): ICompare {
  return { target: 'Value', result: 'Equal', key: Buffer.from(key), value: Buffer.from(value) };
}

export function put(key: string, value: string, lease?: string): IRequestOp {
  const request = { key: Buffer.from(key), value: Buffer.from(value) };
  return { request_put: lease === undefined ? request : { ...request, lease } };
}

export function get(key: string): IRequestOp {
  return { request_range: { key: Buffer.from(key) } };
}

export function remove(key: string): IRequestOp {
  return { request_delete_range: { key: Buffer.from(key) } };
}

export function removeBelow(prefix: string): IRequestOp {
  return { request_delete_range: { key: Buffer.from(prefix), range_end: endOf(prefix) } };
}

/** Removes the key if the comparison holds, whatever the rest of the transaction does. */
export function removeIf(comparison: ICompare, key: string): IRequestOp {
  return { request_txn: { compare: [comparison], success: [remove(key)], failure: [] } };
}

/** The first key after all that have the prefix, which ends in a slash. */
export function endOf(prefix: string): Buffer {
  const end = Buffer.from(prefix);
  end[end.length - 1] = (end.at(-1) ?? 0) + 1;
  return end;
}
