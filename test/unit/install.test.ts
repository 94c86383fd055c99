// What the service is told: the file of settings, the unit, and the variables as `plait agent` reads them.

import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { defaultsText, isOwnDefaults, SETTINGS, updateDefaults } from '../../src/install/settings.js';
import { unitText } from '../../src/install/unit.js';
import { CLI } from '../../src/lab/programs.js';

const test = suite('install');

const assignments = (text: string): string[] => text.split('\n').filter((line) => /^[A-Z]/.test(line));

test('the file as it comes sets nothing, and names every setting', () => {
  const text = defaultsText();
  assert.equal(assignments(text), []);
  for (const { variable } of SETTINGS) assert.match(text, `#${variable}=`);
  assert.ok(isOwnDefaults(text));
});

test('a setting takes the place of its comment, then of its older value; other lines stay', () => {
  const first = updateDefaults(defaultsText(), {
    PLAIT_NAME: 'n1',
    PLAIT_ETCD: 'http://a:1',
    PLAIT_PORT: undefined,
  });
  assert.equal(assignments(first), ['PLAIT_ETCD=http://a:1', 'PLAIT_NAME=n1']);
  const second = updateDefaults(`${first}OWN=1\n`, { PLAIT_NAME: 'n$&2' });
  assert.equal(assignments(second), ['PLAIT_ETCD=http://a:1', 'PLAIT_NAME=n$&2', 'OWN=1']);
});

test('a setting that somebody has appended below its comment changes there: the last line counts', () => {
  const appended = `${defaultsText()}PLAIT_ETCD=http://old:1\nPLAIT_ETCD=http://older:1\n`;
  const changed = updateDefaults(appended, { PLAIT_ETCD: 'http://new:1' });
  assert.is(assignments(changed).at(-1), 'PLAIT_ETCD=http://new:1');
  assert.not.match(changed, 'http://old');
});

test('a setting that the file does not have is added', () => {
  assert.is(updateDefaults('# mine', { PLAIT_NAME: 'n1' }), '# mine\nPLAIT_NAME=n1\n');
  assert.not.ok(isOwnDefaults('# mine'));
});

test('systemd finds no fault with the unit', () => {
  const text = unitText('/bin/true');
  assert.match(text, 'ExecStart=/bin/true agent\n');
  if (!existsSync('/usr/bin/systemd-analyze'))
    return console.log('SKIP systemd finds no fault with the unit: no systemd-analyze here');
  const file = '/tmp/plait-verify.service';
  const script = `cat >${file}; systemd-analyze verify ${file} 2>&1; rm ${file}`;
  const said = execFileSync('sh', ['-c', script], { input: text, encoding: 'utf8' });
  assert.not.match(said, /plait-verify/);
});

const refusals: [setting: string, message: RegExp][] = [
  ['PLAIT_PORT=x', /value 'x' from env 'PLAIT_PORT' is invalid/],
  ['PLAIT_ETCD=nonsense', /value 'nonsense' from env 'PLAIT_ETCD' is invalid/],
  ['PLAIT_XDP=fast', /value 'fast' from env 'PLAIT_XDP' is invalid/],
  ['PLAIT_LOG_LEVEL=loud', /value 'loud' from env 'PLAIT_LOG_LEVEL' is invalid/],
  ['PLAIT_NAME=/', /variable PLAIT_NAME "\/": not a name/],
  ['PLAIT_ADVERTISE_ADDR=1.2.3', /variable PLAIT_ADVERTISE_ADDR 1.2.3: not an IPv4 or IPv6 address/],
];
for (const [setting, message] of refusals) {
  test(`a bad value names its variable: ${setting}`, () => {
    const { status, stderr } = plait(['agent'], setting);
    assert.is(status, 2);
    assert.match(stderr, message);
  });
}

test('a flag wins over its variable, and an empty variable is none', () => {
  assert.match(plait(['agent', '--name', '/'], 'PLAIT_NAME=').stderr, /option --name "\/"/);
  assert.match(plait(['agent', '--port', '0'], 'PLAIT_PORT=x').stderr, /value '0' is invalid|argument '0'/);
});

test('where systemd does not run, the service is refused and nothing is written', () => {
  if (existsSync('/run/systemd/system') || existsSync('/lib/systemd/system/plait.service')) return;
  const { status, stderr } = plait(['service', 'install', '--name', 'n1'], 'LANG=C');
  assert.is(status, 1);
  assert.match(stderr, 'install service: systemd does not run this machine');
  assert.not.ok(existsSync('/etc/default/plait'));
  assert.match(plait(['--root', '/tmp/x', 'service', 'install'], 'LANG=C').stderr, 'option --root');
});

function plait(words: readonly string[], setting: string): { status: number; stderr: string } {
  const [variable = '', value = ''] = setting.split('=');
  try {
    execFileSync(process.execPath, [CLI, ...words], {
      env: { PATH: process.env.PATH, [variable]: value },
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return { status: 0, stderr: '' };
  } catch (error) {
    const { status, stderr } = error as { status: number; stderr: string };
    return { status, stderr };
  }
}

test.run();
