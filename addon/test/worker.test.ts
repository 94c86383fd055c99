// kernels: one
// Threads that end at the worst moment. Whatever goes wrong natively takes the whole process along.
import { Worker } from 'node:worker_threads';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Cleanup, compile, inNamespace, makeNamespace } from './support.js';

const library = new URL('../lib/index.js', import.meta.url).href;

const cleanup = new Cleanup();
const test = suite('worker');
let path: string;

test.before(() => {
  path = compile(cleanup, 'basic');
});
test.after(() => cleanup.run());

/** Runs `body` in a thread, which is terminated at its first message, and returns its exit code. */
function endOf(body: string): Promise<number> {
  const code = `
    import('${library}').then(async ({ attachTcAsync, BpfMap, openObject, ringBuffer, skbContext }) => {
      const { parentPort } = require('node:worker_threads');
      ${body}
    });
  `;
  const worker = new Worker(code, { eval: true });
  worker.once('message', () => void worker.terminate());
  return new Promise((resolve, reject) => {
    worker.once('exit', resolve).once('error', reject);
  });
}

for (const [where, read] of [
  ['on the event loop', ''],
  ['in flush()', 'reader.flush();'],
] as const) {
  test(`a thread may exit inside a record's callback ${where} while more records wait`, async () => {
    const exit = endOf(`
      const object = openObject('${path}');
      await object.load();
      const reader = ringBuffer(object.map('records'), () => process.exit(8));
      reader.ref();
      const ctx = skbContext({ mark: 10 });
      object.program('emit_records').testRun({ data: Buffer.alloc(64), ctx });
      ${read}
    `);
    assert.is(await exit, 8);
  });
}

test('a thread may be terminated while it loads an object', async () => {
  const exit = endOf(`
    setInterval(() => {}, 1000);
    void openObject('${path}').load();
    parentPort.postMessage('loading');
  `);
  assert.is(await exit, 1);
});

test('a thread that is terminated while it attaches leaves no filter behind', async () => {
  const namespace = makeNamespace(cleanup);
  for (let i = 0; i < 20; i++) {
    const exit = endOf(`
      setInterval(() => {}, 1000);
      const object = openObject('${path}');
      await object.load();
      const to = { ifindex: 1, direction: 'ingress', netns: '${namespace.path}', mode: 'clsact' };
      parentPort.postMessage('attaching');
      void attachTcAsync(object.program('count_green'), to);
      const until = Date.now() + ${i % 5};
      while (Date.now() < until);
    `);
    assert.is(await exit, 1);
  }
  assert.is(inNamespace(namespace, 'tc filter show dev lo ingress'), '');
});

test('a thread may be terminated while errors are thrown', async () => {
  for (let i = 0; i < 20; i++) {
    const exit = endOf(`
      const map = BpfMap.create({ type: 'hash', keySize: 4, valueSize: 4, maxEntries: 1 });
      parentPort.postMessage('throwing');
      for (;;) try { map.lookup(new Uint8Array(3)); } catch {}
    `);
    assert.is(await exit, 1);
  }
});

test.run();
