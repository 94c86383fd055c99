// `plait lab` as a person uses it: from one command to the next, and after a crash.

import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Lab } from '../../src/lab/lab.js';
import { stateDir } from '../../src/lab/topology.js';
import { namespacesOf } from '../../src/lab/underlay.js';

const NAME = `l${process.pid}`;
const CLI = join(import.meta.dirname, '..', '..', 'src', 'cli.js');
const execute = promisify(execFile);
const plait = async (...args: string[]): Promise<string> =>
  (await execute(process.execPath, [CLI, ...args])).stdout;

const test = suite('lab');
process.once('SIGTERM', () => void Lab.remove(NAME).finally(() => process.exit(143)));
test.after(() => Lab.remove(NAME));

test('up builds it, and a second up refuses without touching it', async () => {
  await plait('lab', 'up', '--lab', NAME, '--nodes', '1');
  await refusal(['lab', 'up', '--lab', NAME, '--nodes', '1'], /up already/);
  assert.match(await plait('lab', 'exec', '--lab', NAME, 'n1', '--', 'plait', 'node', 'ls'), /n1/);
});

test('exec runs a program on a host and in a container, and hands on its exit code', async () => {
  assert.match(
    await plait('lab', 'exec', '--lab', NAME, 'c1', '--', 'cat', '/etc/resolv.conf'),
    /127\.0\.0\.11/,
  );
  assert.match(await plait('lab', 'exec', '--lab', NAME, 'n1', '--', 'ip', 'address'), /192\.0\.2\.1\/24/);
  await refusal(['lab', 'exec', '--lab', NAME, 'n1', '--', 'sh', '-c', 'exit 7'], /^$/, 7);
  await refusal(['lab', 'exec', '--lab', NAME, 'n9', '--', 'true'], /n9/);
});

test('status names every member and what runs', async () => {
  const { members } = JSON.parse(await plait('lab', 'status', '--lab', NAME, '--format', 'json')) as {
    members: { name: string; running: boolean | null }[];
  };
  const state = Object.fromEntries(members.map(({ name, running }) => [name, running]));
  assert.equal(state, { n1: true, outside: null, c1: null });
});

test('down leaves no process, namespace, mount or file, also after the agents were killed', async () => {
  const lab = Lab.open(NAME);
  assert.ok(lab.isUp('n1'));
  assert.is(etcds(lab).length, 1, 'the manager runs etcd');
  await lab.killAgent('n1');
  await plait('lab', 'down', '--lab', NAME);
  assert.equal(namespacesOf(NAME), []);
  assert.not.ok(existsSync(stateDir(NAME)));
  assert.equal([...etcds(lab), lab.isUp('n1')], [false]);
  await refusal(['lab', 'down', '--lab', NAME], /no such lab/);
});

/** PIDs of processes named etcd whose data are the lab's. */
function etcds(lab: Lab): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      const isEtcd = readFileSync(`/proc/${pid}/comm`, 'utf8') === 'etcd\n';
      return isEtcd && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`${stateDir(lab.spec.name)}/`);
    } catch {
      return false; // it has just ended
    }
  });
}

async function refusal(args: string[], says: RegExp, status = 1): Promise<void> {
  const outcome = await plait(...args).catch((error: { code: number; stderr: string }) => error);
  if (typeof outcome === 'string')
    throw new Error(`plait ${args.join(' ')} must fail, and printed: ${outcome}`);
  assert.is(outcome.code, status, outcome.stderr);
  assert.match(outcome.stderr, says);
}

test.run();
