// What an argument means as a network namespace, and who lives there.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ensureBpffs, isBpffs, removeBpffs } from '../../src/net/bpffs.js';
import { processIn, resolveNamespace } from '../../src/net/namespaces.js';
import { Scratch, sh } from './support/own-namespace.js';

const test = suite('net: namespaces');
const scratch = new Scratch();
test.after(() => scratch.clean());

test('a path, a bare name and a pid all find the namespace', async () => {
  const path = scratch.namespace('found');
  const inode = statSync(path).ino;
  assert.equal(await resolveNamespace(path), { path, inode });
  assert.equal(await resolveNamespace(path.replace('/run/netns/', '')), { path, inode });

  const inside = spawn('nsenter', [`--net=${path}`, 'sleep', '60'], { stdio: 'ignore' });
  try {
    await once(inside, 'spawn');
    while ((await processIn(inode)) !== inside.pid) await new Promise(setImmediate);
    const byPid = await resolveNamespace(`pid:${inside.pid}`);
    assert.equal(byPid, { path: `/proc/${inside.pid}/ns/net`, inode });
  } finally {
    inside.kill('SIGKILL');
    await once(inside, 'exit');
  }
  assert.is(await processIn(inode), undefined);
});

const file = join(scratch.directory, 'file');
const rows: [what: string, reference: () => string, code: string][] = [
  ['a path that is missing', () => '/run/netns/pt-no-such', 'NAMESPACE_NOT_FOUND'],
  ['a name that is missing', () => 'pt-no-such', 'NAMESPACE_NOT_FOUND'],
  ['a process that is gone', () => 'pid:4194304', 'NAMESPACE_NOT_FOUND'],
  ['a plain file, as ip netns leaves behind', () => file, 'NOT_A_NAMESPACE'],
  ['a namespace of another kind', () => `/proc/${process.pid}/ns/ipc`, 'NOT_A_NAMESPACE'],
  ['the own namespace', () => `pid:${process.pid}`, 'OWN_NAMESPACE'],
];
for (const [what, reference, code] of rows) {
  test(`${what} is refused: ${code}`, async () => {
    writeFileSync(file, '');
    const failure = await resolveNamespace(reference()).catch(
      (error: { code: string; message: string }) => error,
    );
    assert.is('code' in failure && failure.code, code);
    assert.match('message' in failure ? failure.message : '', `open network namespace ${reference()}: `);
  });
}

test('a mounted namespace of another kind is refused', async () => {
  writeFileSync(file, '');
  sh(`mount --bind /proc/${process.pid}/ns/uts ${file}`);
  try {
    const failure = await resolveNamespace(file).catch((error: { code: string }) => error);
    assert.is('code' in failure && failure.code, 'NOT_A_NAMESPACE');
  } finally {
    sh(`umount ${file}`);
  }
});

test('a bpffs is mounted where there is none, kept where there is one, and taken away', async () => {
  const directory = join(scratch.directory, 'bpf');
  await ensureBpffs(directory);
  assert.is(sh(`stat -f -c %T ${directory}`), 'bpf_fs');
  assert.is(sh(`stat -c %a ${directory}`), '1700');
  await ensureBpffs(directory);
  await ensureBpffs(join(directory, 'below'));
  assert.is(sh(`grep -c ${directory} /proc/self/mounts`), '1');
  sh(`rmdir ${directory}/below`);
  await removeBpffs(directory);
  assert.is(await isBpffs(directory), false);
  await removeBpffs(directory);
  mkdirSync(directory);
});

test.run();
