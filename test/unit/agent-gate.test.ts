// Requests that change something, and the moment from which none may.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { AgentLeaving, Gate } from '../../src/agent/gate.js';
import { Releasers } from '../../src/agent/releasers.js';

const test = suite('gate');

test('closing waits for those who passed, well or not, and refuses the next', async () => {
  const gate = new Gate();
  let finish = (): void => {};
  let isClosed = false;
  const slow = gate.pass(() => new Promise<void>((resolve) => (finish = resolve)));
  const failing = gate.pass(() => Promise.reject(new Error('no')));
  await failing.catch(() => undefined);
  const closing = gate.close().then(() => (isClosed = true));
  await refused(gate.pass(async () => 1));
  await refused(gate.close());
  assert.is(isClosed, false);
  finish();
  await Promise.all([slow, closing]);
  assert.is(isClosed, true);
  gate.open();
  assert.is(await gate.pass(async () => 1), 1);
});

test('what is kept is released later, in its order', async () => {
  const released: string[] = [];
  const releasers = new Releasers();
  for (const name of ['lock', 'client', 'watch', 'api', 'timer']) {
    releasers.push(name, () => void released.push(name));
  }
  const log = { warn: () => undefined } as never;
  await releasers.release(log, ['lock', 'api']);
  assert.equal(released, ['timer', 'watch', 'client']);
  await releasers.release(log);
  assert.equal(released.slice(3), ['api', 'lock']);
});

async function refused(promise: Promise<unknown>): Promise<void> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.instance(error, AgentLeaving);
}

test.run();
