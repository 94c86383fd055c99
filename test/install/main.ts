// What README.md says about installing, upgrading and uninstalling, done line by line on two bare Debian machines: n1
// by the Debian package, n2 by npm. Between the two there is only a cable; packages come from the Debian mirrors.
//
//   npm run test:install                packs, and then this
//   node dist/test/install/main.js      with what was packed before
//   … --quick                           without upgrade and reboot
//
// A line per step; the last one is `N passed, N failed`. On emulated processors it takes ten minutes on a
// machine that does nothing else (an estimate), and half an hour on a busy one.

import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import * as assert from 'uvu/assert';
import { exitOnSignals, scratchDirectory } from '../vm/ending.js';
import { diskOf, kernelOf, rootDisk } from '../vm/images.js';
import { Machine } from './machine.js';
import { type Line, linesOf } from './readme.js';
import { Steps } from './steps.js';
import { assertSame, type Traces, traces } from './traces.js';

const TOP = join(import.meta.dirname, '..', '..', '..');
const PACKED = join(TOP, 'dist', 'package');
/** A newer package: the same, with another version. */
const NEWER = '0.1.0+newer';

const QUICK = process.argv.includes('--quick');

const execute = promisify(execFile);
const steps = new Steps();
const step = steps.step.bind(steps);

interface Pair {
  n1: Machine;
  n2: Machine;
}

async function main(directory: string): Promise<void> {
  const files = await step(
    'a disk with what was packed, and with Node for the machine without the package',
    () => filesDisk(directory),
  );
  const pair = await step('two bare Debian machines are up, and read the package lists', () =>
    machines(directory, files),
  );
  try {
    await story(pair);
  } catch (error) {
    console.log(`${error instanceof Error ? error.message : error}`.replace(/^/gm, '          | '));
    await tellMore(pair);
    throw error;
  } finally {
    await Promise.all([pair.n1.end(), pair.n2.end()]);
  }
}

async function story(pair: Pair): Promise<void> {
  const { n1, n2 } = pair;
  const goodbye = linesOf('Install/Uninstall');
  const of = (host: string): Line[] => goodbye.filter((line) => line.host === host);
  const [libraries, ...npmLines] = linesOf('Install/npm');
  await step('n1: etcd by its package; n2: the libraries that npm does not bring', () =>
    Promise.all([type(pair, linesOf('Install/etcd')), type(pair, libraries ? [libraries] : [])]),
  );
  const before = await step('what the machines are', () => Promise.all([traces(n1), traces(n2)]));

  await step('n1: README, "Debian package"; n2: README, "npm"', () =>
    Promise.all([type(pair, linesOf('Install/Debian package')), type(pair, npmLines)]),
  );
  await step('README, "The cluster": init on n1, join on n2', () => cluster(pair));
  await step('each sees two nodes', () => Promise.all([n1.until(twoReady), n2.until(twoReady)]));
  await step('README, "Quick start": containers of both ping each other', () => quickStart(pair));
  await step('verify finds no difference', () => Promise.all([n1.sh('plait verify'), n2.sh('plait verify')]));

  if (!QUICK) await changes(pair);

  await step('leaving is refused while a container is attached', async () => {
    assert.match(await n2.sh('plait leave 2>&1 && exit 1 || :'), /1 endpoint\(s\) are attached: web2/);
  });
  await step('n2: README, "Uninstall"', () => type(pair, of('n2')));
  await step('n1 sees itself alone', () => n1.until('plait node ls -q | wc -l | grep -qx 1'));
  await step('n1: README, "Uninstall"', () => type(pair, of('n1')));
  await step('nothing is left on n1', () => nothingLeft(n1, 'c1', before[0]));
  await step('nothing is left on n2', () => nothingLeft(n2, 'c2', before[1]));
}

/** What traffic and containers must live through. */
async function changes(pair: Pair): Promise<void> {
  const { n1, n2 } = pair;
  await step('n1: a newer package; not a packet between the containers is lost', () => upgrade(pair));
  await step('n1 is rebooted', () => n1.reboot());
  await step('n1 is back by itself', () => Promise.all([n1.until(twoReady), n2.until(twoReady)]));
  await step('n1: a new container reaches the old one', async () => {
    await n1.sh('ip netns add c1 && plait attach --network app --name again /run/netns/c1');
    await n1.until('nsenter --net=/run/netns/c1 ping -n -c 2 -W 2 10.10.0.3');
  });
}

const twoReady = 'plait node ls --filter state=ready -q | wc -l | grep -qx 2';

/** Types the lines in order, each on its host. */
async function type(pair: Pair, lines: readonly Line[]): Promise<void> {
  for (const { host, command } of lines) await pair[host as keyof Pair].sh(command);
}

/** The token is the one that `init` printed. */
async function cluster(pair: Pair): Promise<void> {
  const token = async (): Promise<string> => (await pair.n1.sh('plait join-token -q worker')).trim();
  for (const { host, command } of linesOf('Install/The cluster')) {
    const typed = command.includes('PLAIT-1-…') ? command.replace('PLAIT-1-…', await token()) : command;
    await pair[host as keyof Pair].sh(typed);
  }
}

async function quickStart(pair: Pair): Promise<void> {
  // A person ends a ping with Control-C.
  const counted = linesOf('Quick start').map(({ host, command }) => ({
    host,
    command: command.replace(/\bping /, 'ping -n -c 5 -W 5 '),
  }));
  await type(pair, counted);
}

async function upgrade({ n1, n2 }: Pair): Promise<void> {
  const pinging = await n2.sh('nsenter --net=/run/netns/c2 ping -n -i 0.2 10.10.0.2 >ping 2>&1 & echo $!');
  const pid = 'systemctl show -p MainPID --value plait';
  const old = await n1.sh(pid);
  await n1.sh(`apt install ./plait_${NEWER}_amd64.deb`);
  await n1.until(twoReady);
  assert.is.not(await n1.sh(pid), old, 'another agent runs');
  assert.match(await n1.sh('plait endpoint ls --format "{{.name}}"'), /web1/);
  assertNoneLost(
    await n2.sh(`kill -INT ${pinging}; while [ -e /proc/${pinging} ]; do sleep 0.1; done; cat ping; rm ping`),
  );
}

/** An interrupted ping does not wait for the answer to its last packet. */
function assertNoneLost(report: string): void {
  const sent = Number(/(\d+) packets transmitted/.exec(report)?.[1]);
  const answered = new Set([...report.matchAll(/icmp_seq=(\d+) ttl/g)].map(([, seq]) => Number(seq)));
  const missing = Array.from({ length: sent }, (_, index) => index + 1).filter((seq) => !answered.has(seq));
  console.log(`          ${answered.size} of ${sent} packets; missing: ${missing.join(' ') || 'none'}`);
  assert.equal(
    missing.filter((seq) => seq < sent),
    [],
  );
  assert.ok(sent > 100);
}

async function nothingLeft(machine: Machine, container: string, before: Traces): Promise<void> {
  await machine.sh(`ip netns delete ${container}`);
  assertSame(before, await traces(machine));
}

async function tellMore({ n1, n2 }: Pair): Promise<void> {
  for (const machine of [n1, n2]) {
    const log = await machine
      .sh('journalctl -q -n 40 --no-pager -u plait -u etcd -o cat; systemctl --failed --no-legend')
      .catch((error) => String(error));
    console.log(log.replace(/^/gm, `          ${machine.name} | `));
  }
}

async function filesDisk(directory: string): Promise<string> {
  const tree = join(directory, 'files');
  const home = join(tree, 'root');
  mkdirSync(home, { recursive: true });
  for (const file of readdirSync(PACKED))
    if (/\.(deb|tgz)$/.test(file)) cpSync(join(PACKED, file), join(home, file));
  const deb = readdirSync(home).find((file) => file.endsWith('.deb'));
  if (deb === undefined) throw new Error('find packages in dist/package: run `npm run pack` first');
  await newerPackage(directory, join(home, deb));
  const local = join(tree, 'node-n2');
  mkdirSync(join(local, 'bin'), { recursive: true });
  cpSync(process.execPath, join(local, 'bin', 'node'));
  cpSync(npmDirectory(), join(local, 'lib', 'node_modules', 'npm'), { recursive: true });
  await execute('ln', ['-s', '../lib/node_modules/npm/bin/npm-cli.js', join(local, 'bin', 'npm')]);
  return diskOf(tree, join(directory, 'files.raw'));
}

async function newerPackage(directory: string, deb: string): Promise<void> {
  const unpacked = join(directory, 'newer');
  await execute('dpkg-deb', ['-R', deb, unpacked]);
  await execute('sed', ['-i', `s/^Version: .*/Version: ${NEWER}/`, join(unpacked, 'DEBIAN', 'control')]);
  const newer = join(dirname(deb), `plait_${NEWER}_amd64.deb`);
  await execute('dpkg-deb', ['--root-owner-group', '-Zgzip', '-z1', '-b', unpacked, newer]);
  rmSync(unpacked, { recursive: true });
}

function npmDirectory(): string {
  const script = process.env.npm_execpath;
  if (script?.endsWith('npm-cli.js')) return join(dirname(script), '..');
  return join(dirname(process.execPath), '..', 'lib', 'node_modules', 'npm');
}

async function machines(directory: string, files: string): Promise<Pair> {
  const kernel = await kernelOf('linux-image-cloud-amd64');
  const packages = ['iproute2', 'iputils-ping', 'wget'];
  const root = await rootDisk({ kernel, systemd: true, packages });
  const group = `230.0.0.1:${20_000 + (process.pid % 20_000)}`;
  const common = { kernel, root, files, directory, group };
  const created = await Promise.allSettled([
    Machine.create({ ...common, name: 'n1', address: '192.0.2.1' }),
    Machine.create({ ...common, name: 'n2', address: '192.0.2.2' }),
  ]);
  const [n1, n2] = created.map((one) => (one.status === 'fulfilled' ? one.value : undefined));
  if (n1 && n2) return { n1, n2 };
  await Promise.all([n1?.end(), n2?.end()]);
  throw created.find((one) => one.status === 'rejected')?.reason;
}

const directory = scratchDirectory('plait-install-', process.env.PLAIT_TEST_DIR);
exitOnSignals();
try {
  await main(directory);
} catch (error) {
  steps.broken();
  console.log(String(error instanceof Error ? error.message : error).split('\n')[0]);
} finally {
  rmSync(directory, { recursive: true, force: true });
}
process.exitCode = steps.summary();
