import { spawnSync } from 'node:child_process';
import { Worker } from 'node:worker_threads';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BpfMap, type BpfObject, openObject, ringBuffer, skbContext } from '../lib/index.js';
import { Cleanup, compile, failsWith, patience, until } from './support.js';

const library = new URL('../lib/index.js', import.meta.url).href;

const cleanup = new Cleanup();
const test = suite('ring buffer');
let path: string;
let object: BpfObject;

test.before(async () => {
  path = compile(cleanup, 'basic');
  object = openObject(path);
  await object.load();
});
test.after(() => {
  object.close();
  cleanup.run();
});

/** Makes the kernel write `count` records (64 at most). */
function emit(count: number, from = object): void {
  const data = Buffer.alloc(64, 0xab);
  from.program('emit_records').testRun({ data, ctx: skbContext({ mark: count }) });
}

interface Sample {
  sequence: bigint;
  len: number;
  flags: number;
  head: Uint8Array;
}

test('records arrive on the event loop, whole and in order', async () => {
  const codec = object.btf.codecFor<Sample>('struct record');
  const seen: Sample[] = [];
  const reader = ringBuffer(object.map('records'), (record) => seen.push(codec.decode(record)));
  emit(3);
  assert.is(seen.length, 0);
  await until('three records', () => seen.length === 3);
  assert.equal(
    seen.map(({ sequence }) => sequence),
    [0n, 1n, 2n],
  );
  assert.equal(seen[0], { sequence: 0n, len: 64, flags: 4, head: new Uint8Array(8).fill(0xab) });
  reader.close();
  reader.close();
});

test('flush() reads at once', () => {
  let seen = 0;
  const reader = ringBuffer(object.map('records'), () => seen++);
  emit(5);
  reader.flush();
  assert.is(seen, 5);
  reader.close();
  failsWith('EBADF', () => reader.flush());
});

test('more records than one turn takes all arrive, and timers run in between', async () => {
  let [seen, turns] = [0, 0];
  const reader = ringBuffer(object.map('records'), () => seen++);
  for (let i = 0; i < 100; i++) emit(64);
  const timer = setInterval(() => turns++, 0);
  await until('6400 records', () => seen === 6400);
  clearInterval(timer);
  assert.ok(turns > 0);
  reader.close();
});

test('closing inside the callback stops there', async () => {
  let seen = 0;
  const reader = ringBuffer(object.map('records'), () => {
    seen++;
    reader.close();
  });
  emit(4);
  await until('one record', () => seen > 0);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.is(seen, 1);
  const rest: Buffer[] = [];
  const next = ringBuffer(object.map('records'), (record) => rest.push(record));
  next.flush();
  assert.is(rest.length, 3);
  next.close();
});

test('a reader goes on when nobody holds it and the map is closed', async () => {
  const own = openObject(path);
  await own.load();
  let seen = 0;
  const close = ringBuffer(own.map('records'), () => seen++).close;
  own.map('records').close();
  const collect = (globalThis as { gc?: () => void }).gc;
  collect?.();
  emit(2, own);
  await until('two records', () => seen === 2);
  close();
  own.close();
});

function child(body: string, file = path): ReturnType<typeof spawnSync> {
  const setup = `
    import { openObject, ringBuffer, skbContext } from '${library}';
    const object = openObject('${file}');
    await object.load();
    const emit = (mark = 1) => {
      object.program('emit_records').testRun({ data: Buffer.alloc(64), ctx: skbContext({ mark }) });
    };
  `;
  return spawnSync(process.execPath, ['--input-type=module', '-e', setup + body], {
    encoding: 'utf8',
    timeout: patience(10_000),
  });
}

test('a reader does not keep the process alive', () => {
  const { status, stdout } = child(`ringBuffer(object.map('records'), () => {}); console.log('end');`);
  assert.equal([status, stdout], [0, 'end\n']);
});

test('ref() keeps it alive until close()', () => {
  const { status, stdout } = child(`
    const reader = ringBuffer(object.map('records'), () => { console.log('record'); reader.close(); });
    reader.ref();
    setTimeout(emit, 50).unref();
  `);
  assert.equal([status, stdout], [0, 'record\n']);
});

test('what the callback throws is an uncaught exception', () => {
  const { status, stderr } = child(`
    ringBuffer(object.map('records'), () => { throw new Error('from the callback'); }).ref();
    emit();
  `);
  assert.is(status, 1);
  assert.match(String(stderr), /from the callback/);
});

test('a worker thread may end with a reader open', async () => {
  const code = `
    import('${library}').then(async ({ openObject, ringBuffer }) => {
      const object = openObject('${path}');
      await object.load();
      ringBuffer(object.map('records'), () => {}).ref();
      process.exit(7);
    });
  `;
  const status = await new Promise((resolve, reject) => {
    new Worker(code, { eval: true }).once('exit', resolve).once('error', reject);
  });
  assert.is(status, 7);
});

test('a ring has one reader in a process, in any thread, until that is closed', async () => {
  const reader = ringBuffer(object.map('records'), () => {});
  assert.match(
    failsWith('EBUSY', () => ringBuffer(object.map('records'), () => {})).message,
    /reads it already/,
  );
  const code = `
    import('${library}').then(({ BpfMap, ringBuffer }) => ringBuffer(BpfMap.fromId(${object.map('records').id}), () => {}));
  `;
  const error = await new Promise((resolve) => {
    new Worker(code, { eval: true }).once('error', resolve).once('exit', resolve);
  });
  assert.match(String(error), /reads it already/);
  reader.close();
  ringBuffer(object.map('records'), () => {}).close();
});

test('records that another process has taken away in the middle of a turn are not read over the end', () => {
  const thief = `
    const { BpfMap, BpfProgram, ringBuffer, skbContext } = await import('${library}');
    const [map, program] = process.argv.slice(1).map(Number);
    const reader = ringBuffer(BpfMap.fromId(map), () => {});
    for (let i = 0; i < 3; i++) {
      reader.flush();
      BpfProgram.fromId(program).testRun({ data: Buffer.alloc(64), ctx: skbContext({ mark: 64 }) });
    }
  `;
  const { status, stdout } = child(
    `
    const { spawnSync } = await import('node:child_process');
    const arguments_ = [object.map('records').id, object.program('emit_records').id].map(String);
    process.once('uncaughtException', ({ op, code }) => console.log(op, code));
    let seen = 0;
    const reader = ringBuffer(object.map('records'), () => {
      if (seen++ > 0) return;
      spawnSync(process.execPath, ['--input-type=module', '-e', ${JSON.stringify(thief)}, ...arguments_]);
    });
    emit(10);
    reader.flush();
    try { reader.flush(); } catch ({ code }) { console.log(code); }
  `,
    compile(cleanup, 'odd'),
  );
  assert.equal([status, stdout], [0, 'read ring buffer records EBADMSG\nEBADF\n']);
});

test('only ring buffers are read, and only by functions', () => {
  const hash = BpfMap.create({ type: 'hash', keySize: 4, valueSize: 4, maxEntries: 1 });
  failsWith('EINVAL', () => ringBuffer(hash, () => {}));
  failsWith('EINVAL', () => ringBuffer(object.map('records'), 'nothing' as unknown as () => void));
  hash.close();
  failsWith('EINVAL', () => ringBuffer(hash, () => {}));
});

test.run();
