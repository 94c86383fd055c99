import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { asPlaitError } from '../../src/store/failures.js';

const test = suite('what etcd and its connection throw');

/** As @grpc/grpc-js throws it out of a stream. */
function grpcError(code: number, message: string): Error {
  return Object.assign(new Error(message), { code });
}

const rows: { why: string; error: Error; code: string; message: string }[] = [
  {
    why: 'a watch whose connection broke is tried again',
    error: grpcError(14, '14 UNAVAILABLE: Connection dropped'),
    code: 'STORE_UNAVAILABLE',
    message: 'reach etcd at E: Connection dropped',
  },
  {
    why: 'a slow etcd is tried again',
    error: grpcError(4, '4 DEADLINE_EXCEEDED: Deadline exceeded after 4.194s,LB pick: 2.348s'),
    code: 'STORE_UNAVAILABLE',
    message: 'reach etcd at E: no answer in time',
  },
  {
    why: 'a refusal is one',
    error: grpcError(7, '7 PERMISSION_DENIED: etcdserver: permission denied'),
    code: 'STORE_REFUSED',
    message: 'ask etcd at E: etcdserver: permission denied',
  },
  {
    why: 'an error of the system has no code of gRPC',
    error: Object.assign(new Error('boom'), { code: 'EPIPE' }),
    code: 'STORE_REFUSED',
    message: 'ask etcd at E: boom',
  },
];

for (const { why, error, code, message } of rows) {
  test(why, () => {
    const told = asPlaitError(error, 'E');
    assert.is(told.code, code);
    assert.is(told.message, message);
  });
}

test.run();
