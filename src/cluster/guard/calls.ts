/* The calls of etcd that a worker may make: how each is read, judged, and written anew. */
import {
  type Asker,
  decimal,
  judgeDelete,
  judgeGrant,
  judgeLease,
  judgePut,
  judgeRange,
  judgeTxn,
  judgeWatch,
  type Verdict,
} from './judge.js';
import {
  type LeaseGrant,
  type LeaseRef,
  MessageType,
  type Put,
  type Range,
  type Txn,
  type WatchRequest,
} from './messages.js';

export interface Judged {
  readonly verdict: Verdict;
  /** As etcd may have it. */
  readonly bytes: Uint8Array;
}

export interface Call {
  /** Throws for bytes that are no such request. */
  readonly judge: (bytes: Uint8Array, asker: Asker) => Promise<Judged>;
  /** The answer makes a lease the asker's: its id, decimal. */
  readonly grants?: (answer: Uint8Array) => string;
}

function call<T>(
  type: MessageType<T>,
  judge: (message: T, asker: Asker) => Verdict | Promise<Verdict>,
): Call {
  return {
    async judge(bytes, asker) {
      const message = type.decode(bytes);
      return { verdict: await judge(message, asker), bytes: type.encode(message) };
    },
  };
}

const grantAnswer = new MessageType<LeaseRef>('LeaseGrantResponse');

export const WORKER_CALLS: ReadonlyMap<string, Call> = new Map([
  ['/etcdserverpb.KV/Range', call(new MessageType<Range>('RangeRequest'), judgeRange)],
  ['/etcdserverpb.KV/Put', call(new MessageType<Put>('PutRequest'), judgePut)],
  ['/etcdserverpb.KV/DeleteRange', call(new MessageType<Range>('DeleteRangeRequest'), judgeDelete)],
  ['/etcdserverpb.KV/Txn', call(new MessageType<Txn>('TxnRequest'), (txn, asker) => judgeTxn(txn, asker))],
  ['/etcdserverpb.Watch/Watch', call(new MessageType<WatchRequest>('WatchRequest'), judgeWatch)],
  [
    '/etcdserverpb.Lease/LeaseGrant',
    {
      ...call(new MessageType<LeaseGrant>('LeaseGrantRequest'), judgeGrant),
      grants: (answer) => decimal(grantAnswer.decode(answer).ID),
    },
  ],
  [
    '/etcdserverpb.Lease/LeaseKeepAlive',
    call(new MessageType<LeaseRef>('LeaseKeepAliveRequest'), ({ ID }, asker) => judgeLease(ID, asker)),
  ],
  [
    '/etcdserverpb.Lease/LeaseRevoke',
    call(new MessageType<LeaseRef>('LeaseRevokeRequest'), ({ ID }, asker) => judgeLease(ID, asker)),
  ],
]);
