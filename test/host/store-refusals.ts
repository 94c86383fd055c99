/** How tests of the store say "is refused with this code and message". */
import * as assert from 'uvu/assert';
import { PlaitError } from '../../src/model/errors.js';

export async function rejects(promise: Promise<unknown>, code: string, message: RegExp): Promise<PlaitError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error === undefined) throw new Error(`should have been refused with ${code}`);
  if (!(error instanceof PlaitError)) throw error;
  assert.is(error.code, code, String(error));
  assert.match(error.message, message);
  return error;
}
