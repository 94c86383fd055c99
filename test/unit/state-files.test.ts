import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Journal, type JournalEntry } from '../../src/agent/journal.js';
import { KeyedLock } from '../../src/agent/keyed-lock.js';
import { AgentRunning, lockNetwork, lockRoot, NetworkTaken } from '../../src/agent/lock.js';
import { Releasers } from '../../src/agent/releasers.js';
import { loadSnapshot, SnapshotWriter } from '../../src/agent/snapshot.js';
import { ClusterView } from '../../src/model/view.js';
import { StateNotWritten, writeFileAtomically } from '../../src/state/files.js';
import { loadIdentity } from '../../src/state/identity.js';

const log = pino({ level: 'silent' });
const test = suite<{ directory: string }>('agent files');

test.before.each(async (context) => {
  context.directory = await mkdtemp(join(tmpdir(), 'plait-files-'));
});
test.after.each(({ directory }) => rm(directory, { recursive: true }));

const entry: JournalEntry = {
  id: 'a'.repeat(25),
  phase: 'attaching',
  network: 'n'.repeat(25),
  netns: '/run/netns/c1',
  netnsInode: 4026532000,
  ifname: 'eth0',
  hostIfname: 'pl00000000000',
};

test('a journal that is opened again holds what was written and not removed', async ({ directory }) => {
  const journal = await Journal.open(directory, log);
  await journal.write(entry);
  await journal.write({ ...entry, phase: 'attached' });
  await journal.write({ ...entry, id: 'b'.repeat(25) });
  await journal.remove('b'.repeat(25));
  const again = await Journal.open(directory, log);
  assert.equal(again.values(), [{ ...entry, phase: 'attached' }]);
});

test('a write that fails says what and why, and leaves the file as it was', async ({ directory }) => {
  const path = join(directory, 'kept');
  await writeFileAtomically(path, 'old');
  await mkdir(`${path}.new`);
  const error = await writeFileAtomically(path, 'new').catch((reason: unknown) => reason);
  assert.instance(error, StateNotWritten);
  assert.match((error as Error).message, `write ${path}: `);
  assert.is(await readFile(path, 'utf8'), 'old');
});

test('a network namespace has one agent at a time', async () => {
  const release = await lockNetwork();
  const refused = await lockNetwork().catch((reason: unknown) => reason);
  assert.instance(refused, NetworkTaken);
  await release();
  await (await lockNetwork())();
});

test('an unreadable journal entry is dropped and does not stop the agent', async ({ directory }) => {
  await writeFile(join(directory, `${entry.id}.json`), '{"id":');
  await writeFile(join(directory, `${entry.id}.json.new`), '{"id":');
  const journal = await Journal.open(directory, log);
  assert.equal(journal.values(), []);
  assert.equal(await readdir(directory), []);
});

test('a node keeps its id, in a file that only its owner reads', async ({ directory }) => {
  const first = await loadIdentity(directory, 'n1');
  const second = await loadIdentity(directory, 'n1');
  assert.equal(second, first);
  const renamed = await loadIdentity(directory, 'n2');
  assert.equal(renamed, { ...first, name: 'n2' }, 'its name is that of the last agent');
  assert.match(first.id, /^[0-9a-z]{25}$/);
  assert.is((await stat(join(directory, 'node.json'))).mode & 0o777, 0o600);
});

test('a damaged identity is an error and not a new node', async ({ directory }) => {
  await writeFile(join(directory, 'node.json'), '{');
  try {
    await loadIdentity(directory, 'n1');
    assert.unreachable();
  } catch (error) {
    assert.match(String(error), /restore the file|not what the agent wrote/);
  }
});

test('a second agent on a root is refused with the PID of the first', async ({ directory }) => {
  const path = join(directory, 'agent.lock');
  const unlock = await lockRoot(path);
  try {
    await lockRoot(path);
    assert.unreachable();
  } catch (error) {
    assert.instance(error, AgentRunning);
    assert.match(String(error), String(process.pid));
  }
  await unlock();
  await (await lockRoot(path))();
  assert.equal(await readdir(directory), []);
});

test('the lock of a killed agent is taken over, also when its PID is in use again', async ({ directory }) => {
  const path = join(directory, 'agent.lock');
  await writeFile(path, `${process.pid} 1\n`);
  await (await lockRoot(path))();
});

test('a snapshot brings back what the view held', async ({ directory }) => {
  const path = join(directory, 'snapshot.json');
  assert.is(await loadSnapshot(path, log), undefined);
  const view = new ClusterView();
  const node = {
    id: 'n'.repeat(25),
    name: 'n1',
    vtep: '192.0.2.1',
    version: '0.1.0',
    labels: {},
    createdAt: '2026-01-01T00:00:00Z',
  };
  view.putNode(node);
  const writer = new SnapshotWriter(path, view, { log, notices: new Map() }, 5);
  writer.schedule('42');
  await writer.close();
  assert.equal(await loadSnapshot(path, log), { revision: '42', nodes: [node], networks: [], endpoints: [] });
  await writeFile(path, 'half');
  assert.is(await loadSnapshot(path, log), undefined);
});

test('releasers run last in first out, once, and one that fails does not stop the others', async () => {
  const order: string[] = [];
  const releasers = new Releasers();
  releasers.push('first', () => void order.push('first'));
  releasers.push('failing', () => {
    throw new Error('no');
  });
  releasers.push('last', async () => void order.push('last'));
  await Promise.all([releasers.release(log), releasers.release(log)]);
  assert.equal(order, ['last', 'first']);
});

test('work under one key is serial also after a failure, other keys do not wait', async () => {
  const lock = new KeyedLock();
  const order: string[] = [];
  let finishSlow: () => void = () => undefined;
  const slow = lock.run('a', async () => {
    await new Promise<void>((resolve) => {
      finishSlow = resolve;
    });
    order.push('slow');
    throw new Error('failed');
  });
  const next = lock.run('a', async () => void order.push('next'));
  await lock.run('b', async () => void order.push('other'));
  finishSlow();
  await slow.then(assert.unreachable, () => undefined);
  await next;
  assert.equal(order, ['other', 'slow', 'next']);
});

test.run();
