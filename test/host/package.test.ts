// timeout: 600 s

// What `npm run pack` makes, from the inside: what is in it, and that each of the two works on its own, away from the
// checkout. The tgz is installed by npm without a registry, the Debian package is unpacked where it does not belong.
// (Whole machines, systemd and apt are test/install's business.)

import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Lab } from '../../src/lab/lab.js';
import { waitFor } from '../../src/lab/wait.js';

const TOP = join(import.meta.dirname, '..', '..', '..');
const PACKED = join(TOP, 'dist', 'package');
const { version } = JSON.parse(readFileSync(join(TOP, 'package.json'), 'utf8')) as { version: string };
const TGZ = join(PACKED, `plait-${version}.tgz`);
const DEB = join(PACKED, `plait_${version}_amd64.deb`);
const MAX_TGZ = 8e6;
const MAX_DEB = 40e6;

const scratch = mkdtempSync(join(tmpdir(), 'pt-package-'));
const lab = `p${process.pid}`;
const test = suite('package');
const clean = async (): Promise<void> => {
  await Lab.remove(lab);
  rmSync(scratch, { recursive: true, force: true });
};
process.once('SIGTERM', () => void clean().finally(() => process.exit(143)));
test.after(clean);

/** A machine that was given what others built cannot pack. */
const missing = ['npm', 'clang', 'dpkg-shlibdeps'].filter((tool) => spawnSync(tool, ['--version']).error);

function check(name: string, body: () => void | Promise<void>): void {
  test(name, async () => {
    if (missing.length > 0) console.log(`SKIP ${name}: no ${missing.join(', ')} here`);
    else await body();
  });
}

/** Nothing of the checkout: another directory, no node_modules/.bin, no settings of npm or of us. */
function outside(command: string, args: readonly string[], env: Record<string, string> = {}): string {
  return execFileSync(command, args, {
    cwd: '/',
    encoding: 'utf8',
    env: { HOME: scratch, PATH: '/usr/sbin:/usr/bin:/sbin:/bin', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 64 << 20,
  });
}

const tgzFiles = (): string[] =>
  outside('tar', ['-tzf', TGZ])
    .trim()
    .split('\n')
    .map((file) => file.replace(/^package\//, ''));

const debFiles = (): string[] =>
  outside('dpkg-deb', ['-c', DEB])
    .trim()
    .split('\n')
    .map((line) => line.replace(/^(?:\S+\s+){5}\.\//, ''))
    .filter((file) => file !== '' && !file.endsWith('/'));

check('npm run pack makes both', () => {
  execFileSync('npm', ['run', '-s', 'pack'], { cwd: TOP, stdio: ['ignore', 'pipe', 'pipe'] });
  assert.ok(existsSync(TGZ));
  assert.ok(existsSync(DEB));
});

check(
  'the tgz has what runs: every module of the program, the BPF object, the addon, all dependencies',
  () => {
    const files = new Set(tgzFiles());
    for (const file of ['package.json', 'README.md', 'LICENSE', 'dist/src/cli.js', 'dist/bpf/plait.bpf.o'])
      assert.ok(files.has(file), file);
    const addon = 'node_modules/libbpf-ts-bindings';
    assert.ok(files.has(`${addon}/build/Release/bpf_ts_bindings.node`));
    assert.ok(files.has(`${addon}/dist/lib/index.js`));
    const { dependencies } = JSON.parse(readFileSync(join(TOP, 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>;
    };
    for (const name of Object.keys(dependencies))
      assert.ok(files.has(`node_modules/${name}/package.json`), name);
  },
);

check('it has nothing else: no test, no source of ours, nothing that only builds, nothing stale', () => {
  const files = tgzFiles();
  const own = files.filter((file) => !file.startsWith('node_modules/'));
  const modules = own.filter((file) => file.startsWith('dist/src/'));
  for (const file of modules) {
    const source = join(TOP, file.replace(/^dist\//, '').replace(/\.js$/, '.ts'));
    assert.ok(existsSync(source), `${file} comes from a source that exists`);
  }
  assert.equal(
    modules.filter((file) => file.startsWith('dist/src/package/')),
    [],
  );
  const others = own.filter((file) => !file.startsWith('dist/src/')).sort();
  const vendored = [
    ...['LICENSE', 'NOTICE', 'echarts.esm.min.mjs'],
    ...['licenses/LICENSE-d3', 'licenses/LICENSE-tslib', 'licenses/LICENSE-zrender', 'package.json'],
  ].map((file) => `dist/vendor/echarts/${file}`);
  assert.equal(others, [
    'LICENSE',
    'README.md',
    'dist/bpf/names.bpf.o',
    'dist/bpf/plait.bpf.o',
    ...vendored,
    'package.json',
  ]);
  const building = /^node_modules\/(typescript|uvu|@biomejs|@typescript|kleur|mri|sade)\//;
  assert.equal(
    files.filter((file) => building.test(file)),
    [],
  );
  assert.equal(
    files.filter((file) => /libbpf-ts-bindings\/(test|dist\/test)\//.test(file)),
    [],
  );
});

check('neither is bigger than it has to be', () => {
  assert.ok(readFileSync(TGZ).length < MAX_TGZ);
  assert.ok(readFileSync(DEB).length < MAX_DEB);
});

check('the Debian package has program, runtime, unit, settings, manual, completions and licenses', () => {
  const files = new Set(debFiles());
  const expected = [
    'usr/bin/plait',
    'usr/lib/plait/node',
    'usr/lib/plait/dist/src/cli.js',
    'usr/lib/plait/dist/bpf/names.bpf.o',
    'usr/lib/plait/dist/bpf/plait.bpf.o',
    'lib/systemd/system/plait.service',
    'etc/default/plait',
    'usr/share/man/man8/plait.8.gz',
    'usr/share/bash-completion/completions/plait',
    'usr/share/zsh/vendor-completions/_plait',
    'usr/share/fish/vendor_completions.d/plait.fish',
    'usr/share/doc/plait/copyright',
    'usr/share/doc/plait/changelog.gz',
  ];
  for (const file of expected) assert.ok(files.has(file), file);
  const elsewhere = [...files].filter(
    (file) => !file.startsWith('usr/lib/plait/') && !expected.includes(file),
  );
  assert.equal(elsewhere.sort(), ['usr/share/doc/plait/README.md', 'usr/share/lintian/overrides/plait']);
  const superfluous = [...files].filter((file) => /\.(d\.[cm]?ts|map|md)$|\/@types\//.test(file));
  assert.equal(superfluous, ['usr/share/doc/plait/README.md']);
});

check('its control file is right', () => {
  const field = (name: string): string => outside('dpkg-deb', ['-f', DEB, name]).trim();
  assert.is(field('Version'), version);
  const depends = field('Depends');
  for (const name of ['libbpf1 (>= 1:1.1)', 'libc6', 'libstdc++6', 'iproute2', 'nftables', 'mount'])
    assert.ok(depends.includes(name), name);
  assert.match(field('Suggests'), 'etcd-server');
  assert.is(outside('dpkg-deb', ['--ctrl-tarfile', DEB]).includes('/etc/default/plait\n'), true);
});

const installed: Record<string, string[]> = {};

check('npm installs the tgz without a registry, and it runs', () => {
  const prefix = join(scratch, 'npm');
  const cache = join(scratch, 'cache');
  outside('npm', ['install', '-g', '--offline', '--cache', cache, '--prefix', prefix, TGZ]);
  installed.tgz = [join(prefix, 'bin', 'plait')];
  assert.is(outside(join(prefix, 'bin', 'plait'), ['--version']), `plait ${version}\n`);
});

check('the Debian package runs on its own Node', () => {
  const root = join(scratch, 'deb');
  mkdirSync(root);
  outside('dpkg-deb', ['-x', DEB, root]);
  const library = join(root, 'usr/lib/plait');
  installed.deb = [join(library, 'node'), join(library, 'dist/src/cli.js')];
  assert.is(
    outside(join(library, 'node'), [join(library, 'dist/src/cli.js'), '--version']),
    `plait ${version}\n`,
  );
});

check('no file in either names the place where it was built', () => {
  const inside = ['npm/lib/node_modules/plait', 'deb/usr'].map((part) => join(scratch, part));
  const grep = ['-rlaF', '--exclude=node', `${TOP}/`, ...inside];
  const found = execFileSync('sh', ['-c', 'grep "$@" || :', 'sh', ...grep], { encoding: 'utf8' });
  assert.is(found, '');
});

check('without libbpf it says what to install', () => {
  const [plait = ''] = installed.tgz ?? [];
  const addon = join(scratch, 'npm/lib/node_modules/plait/node_modules/libbpf-ts-bindings');
  const native = join(addon, 'build/Release/bpf_ts_bindings.node');
  const whole = readFileSync(native);
  try {
    // The same binary, looking for a library that no machine has.
    writeFileSync(
      native,
      Buffer.from(whole.toString('latin1').replace('libbpf.so.1', 'libbpf.so.0'), 'latin1'),
    );
    assert.throws(
      () => outside(plait, ['agent', '--root', join(scratch, 'root')]),
      (error: Error & { stderr?: string }) =>
        error.stderr ===
        'plait: load libbpf-ts-bindings: libbpf.so.0 is not installed (Debian: apt install libbpf1)\n',
    );
  } finally {
    writeFileSync(native, whole);
  }
});

check('an agent of each, on hosts of a lab: attach, ping, leave', async () => {
  const here = await Lab.up({ name: lab, nodes: 0, plainHosts: ['k1', 'k2'] });
  const agents: ChildProcess[] = [];
  const packages = Object.entries(installed);
  assert.is(packages.length, 2);
  const on = (host: string, argv: readonly string[]): string =>
    outside('nsenter', [`--net=${here.netns(host)}`, '--', ...argv], { PLAIT_ROOT: here.root(host) });
  const ends: Promise<unknown>[] = [];
  for (const [index, [, plait]] of packages.entries()) {
    const host = here.plainHosts[index];
    assert.ok(host);
    const where = ['--name', host.name, '--advertise-addr', host.vtep, '--etcd', here.etcdUrl];
    const agent = spawn('nsenter', [`--net=${here.netns(host.name)}`, '--', ...plait, 'agent', ...where], {
      cwd: '/',
      env: { ...process.env, PATH: '/usr/sbin:/usr/bin:/sbin:/bin', PLAIT_ROOT: here.root(host.name) },
      stdio: 'ignore',
    });
    agents.push(agent);
    ends.push(new Promise((resolve) => agent.once('exit', resolve)));
    await waitFor(`the agent of ${host.name}`, () => {
      try {
        on(host.name, [...plait, 'verify']);
        return true;
      } catch {
        return false;
      }
    });
  }
  const [[, first = []] = [], [, second = []] = []] = packages;
  on('k1', [...first, 'network', 'create', '--subnet', '10.10.0.0/24', 'app']);
  for (const [host, plait] of [
    ['k1', first],
    ['k2', second],
  ] as const) {
    const netns = await here.addContainer(`c${host}`);
    on(host, [...plait, 'attach', '--network', 'app', '--name', `on-${host}`, netns]);
  }
  const ping = 'ping -n -c 2 -W 2 10.10.0.3';
  await waitFor('ping', async () => (await here.try('ck1', ping.split(' '))).status === 0);
  on('k1', [...first, 'leave', '--force']);
  on('k2', [...second, 'leave', '--force']);
  assert.equal(await Promise.all(ends), [0, 0]);
});

test.run();
