/** What the etcd client throws, told as our errors. */
import * as etcd3 from 'etcd3';
import { PlaitError, StoreRefused, StoreUnavailable } from '../model/errors.js';

/** gRPC's codes for the same as below: CANCELLED, UNKNOWN, DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE. */
const DEADLINE_EXCEEDED = 4;
const UNAVAILABLE_CODES = new Set([1, 2, DEADLINE_EXCEEDED, 13, 14]);

/**
 * True if a later attempt of the same call may find etcd well again. What ends a stream comes as gRPC's own error,
 * which the client does not turn into one of its classes.
 */
export function isUnavailable(error: unknown): boolean {
  return (
    UNAVAILABLE_CODES.has(grpcCode(error)) ||
    error instanceof etcd3.GRPCUnavailableError ||
    error instanceof etcd3.GRPCDeadlineExceededError ||
    error instanceof etcd3.GRPCCancelledError ||
    error instanceof etcd3.GRPCInternalError ||
    error instanceof etcd3.GRPCUnknownError ||
    error instanceof etcd3.EtcdWatchStreamEnded
  );
}

/** -1 for what is no error of gRPC's own, or has a class of the client's. */
function grpcCode(error: unknown): number {
  if (!(error instanceof Error) || error.constructor !== Error) return -1;
  return 'code' in error && typeof error.code === 'number' ? error.code : -1;
}

/** Never throws; ours pass through. `where` names the endpoints in the message. */
export function asPlaitError(error: unknown, where: string): PlaitError {
  if (error instanceof PlaitError) return error;
  if (isUnavailable(error)) return new StoreUnavailable(`reach etcd at ${where}: ${reasonOf(error)}`, error);
  return new StoreRefused(`ask etcd at ${where}: ${reasonOf(error)}`, error, hintOf(error));
}

function hintOf(error: unknown): string | undefined {
  const message = error instanceof Error ? error.message : String(error);
  if (/user name is empty|permission denied|authentication/.test(message)) {
    return 'agents have no user at etcd yet: keep it without authentication, on a network where nobody else is';
  }
  if (/space exceeded/.test(message))
    return "etcd's quota is used up: compact and defragment it, then disarm its alarm";
  return undefined;
}

/** The client's messages are long: status name, code and gRPC's account of its resolver. The cause is enough. */
function reasonOf(error: unknown): string {
  if (error instanceof etcd3.GRPCDeadlineExceededError || grpcCode(error) === DEADLINE_EXCEEDED) {
    return 'no answer in time';
  }
  const message = error instanceof Error ? error.message : String(error);
  if (message.includes('ECONNREFUSED')) return 'connection refused';
  if (message.includes('Protocol error')) return 'what answers there is not etcd';
  // etcd3 closed its connections because of another call that failed.
  if (message.includes('Channel closed')) return 'no answer in time';
  return message
    .replace(/^(\w+Error: )?\d+ [A-Z_]+: /, '')
    .replace(/No connection established\. Last error: /, '')
    .replace(/\. Resolution note:.*$/s, '')
    .replace(/^Error: /, '');
}
