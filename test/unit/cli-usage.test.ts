/* The command as a process, as far as it gets without an agent: help, wrong usage, nobody there. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const CLI = path.join(import.meta.dirname, '../../src/cli.js');

interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

function plait(args: string[], env: Record<string, string> = {}, program = CLI): Promise<Outcome> {
  const options = { env: { ...process.env, ...env }, timeout: 20_000 };
  return new Promise((resolve) => {
    execFile(process.execPath, [program, ...args], options, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, stdout, stderr });
    });
  });
}

async function inDirectory(body: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(path.join(tmpdir(), 'plait-cli-'));
  try {
    await body(directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}

const test = suite('command line');

test('prints its version, also through a symbolic link', async () => {
  await inDirectory(async (directory) => {
    const link = path.join(directory, 'plait');
    await symlink(CLI, link);
    for (const program of [CLI, link]) {
      const { code, stdout } = await plait(['--version'], {}, program);
      assert.is(code, 0);
      assert.match(stdout, /^plait \d+\.\d+\.\d+\n$/);
    }
  });
});

test('starts without loading what only some commands need', async () => {
  const { stderr } = await plait(['--version'], { NODE_DEBUG: 'esm' });
  assert.match(stderr, /commander/);
  assert.not.match(stderr, /node_modules\/(fastify|etcd3|pino|zod|dns-packet)\//);
});

test('help goes to stdout, with exit codes and examples', async () => {
  const { code, stdout, stderr } = await plait(['--help']);
  assert.is(code, 0);
  assert.is(stderr, '');
  assert.match(stdout, /Exit codes:\n {2}0 {2}ok\n {2}1 {2}failed/);
  assert.match(stdout, /plait attach --network app/);
});

const commands = [
  'agent|status|verify|attach|detach|drops|completion',
  'node ls|node inspect|network create|network ls|network inspect|network rm',
  'endpoint ls|endpoint inspect|endpoint add|endpoint rm|map ls|map dump',
  'lab up|lab exec|lab status|lab down|lab demo',
].flatMap((line) => line.split('|'));
test('every command has help', async () => {
  for (const command of commands) {
    const { code, stdout } = await plait([...command.split(' '), '--help']);
    assert.is(code, 0, command);
    assert.match(stdout, new RegExp(`^Usage: plait ${command}`));
  }
});

const mistakes: [string, RegExp][] = [
  ['', /Usage: plait/],
  ['network', /Usage: plait network/],
  ['netwrok', /plait: unknown command 'netwrok'\n\(Did you mean network\?\)/],
  ['network crate', /plait: unknown command 'crate'\n[\s\S]*hint: see `plait network --help`/],
  ['network create', /plait: missing required argument 'name'\nhint: see `plait network create --help`/],
  ['network create --colour red x', /plait: unknown option '--colour'/],
  ['network create a b', /too many arguments/],
  ['network create -x-', /unknown option/],
  ['network create _app', /network "_app": not a name\nhint: use 1 to 63 letters/],
  [
    'network create --vni 0 x',
    /--vni <number>' argument '0' is invalid\. Give a whole number from 1 to 16777215/,
  ],
  ['network create --vni 16777216 x', /whole number from 1 to 16777215/],
  ['network create --mtu 1e3 x', /whole number from 576 to 65535/],
  ['network create --subnet 10.0.0.0 x', /option --subnet 10\.0\.0\.0: not address\/prefix-length/],
  ['network create --subnet 10.0.0.1/24 x', /host bits are set\nhint: 10\.0\.0\.0\/24 is the subnet/],
  ['network create --gateway nobody x', /option --gateway nobody: not an IPv4 or IPv6 address/],
  ['network create --ip-range 10.0.0.0/33 x', /option --ip-range 10\.0\.0\.0\/33: prefix length is over 32/],
  ['network create --label =v x', /--label <key=value>' argument '=v' is invalid\. Give key=value/],
  ['network rm', /missing required argument/],
  ['attach /run/netns/x', /required option '--network <network>' not specified/],
  ['attach --network n pid:zero', /namespace pid:zero: not a process id\nhint: give it as pid:1234/],
  ['attach --network n pid:1', /it has no name for the endpoint\nhint: give one with --name/],
  ['attach --network n --mac 1:2 x', /--mac <mac>' argument '1:2' is invalid\. Give a MAC address such as/],
  ['attach --network n --ip 10.0.0.300 x', /option --ip 10\.0\.0\.300: not an IPv4 or IPv6 address/],
  ['attach --network n --name a/b x', /option --name "a\/b": not a name/],
  ['attach --network n --ifname a/b x', /option --ifname "a\/b": not an interface name\nhint: use 1 to 15/],
  [`attach --network n --ifname ${'a'.repeat(16)} x`, /not an interface name/],
  ['endpoint add --network n --name x', /option --vtep: it is missing/],
  ['endpoint add --file /nonexistent.json', /read \/nonexistent\.json: ENOENT/],
  ['endpoint inspect --format yaml x', /option --format yaml: not table, json or a template/],
  ['map dump fdb --ip nowhere', /option --ip nowhere: not an IPv4 or IPv6 address/],
  ['status --format xml', /Allowed choices are text, json/],
  ['agent --port 0', /whole number from 1 to 65535/],
  ['agent --etcd localhost', /Give http:\/\/HOST:PORT/],
  ['agent --advertise-addr host1', /option --advertise-addr host1: not an IPv4 or IPv6 address/],
  ['agent --log-level loud', /Allowed choices are trace, debug, info, warn, error/],
  ['lab up --nodes 0', /whole number from 1 to/],
  ['completion csh', /Allowed choices are bash, zsh, fish/],
];
for (const [line, message] of mistakes) {
  test(`"plait ${line}" is a usage error`, async () => {
    const { code, stdout, stderr } = await plait(line === '' ? [] : line.split(' '));
    assert.is(code, 2, stderr);
    assert.is(stdout, '');
    assert.match(stderr, message);
    assert.not.match(stderr, /\n\s+at /);
  });
}

test('an empty name is a usage error, not one that no network has', async () => {
  for (const command of ['network inspect', 'network rm', 'detach', 'node inspect']) {
    const { code, stderr } = await plait([...command.split(' '), '']);
    assert.is(code, 2);
    assert.match(stderr, /^plait: argument "": it is empty\nhint: /);
  }
});

test('a file of endpoints that is no array of objects is a usage error', async () => {
  await inDirectory(async (directory) => {
    const file = path.join(directory, 'rows.json');
    for (const [content, message] of [
      ['{', /not JSON/],
      ['{}', /not an array of objects/],
      ['[1]', /not an array of objects/],
    ] as const) {
      await writeFile(file, content);
      const { code, stderr } = await plait(['endpoint', 'add', '--file', file]);
      assert.is(code, 2);
      assert.match(stderr, message);
    }
  });
});

test('without an agent, every command says so in one line', async () => {
  await inDirectory(async (root) => {
    const expected = `plait: connect ${root}/run/plait.sock: no agent is listening; start it with \`plait agent …\`\n`;
    for (const line of [
      'status',
      'verify',
      'node ls',
      'network rm a b',
      'detach x',
      'map dump fdb',
      'drops -f',
    ]) {
      const { code, stdout, stderr } = await plait([...line.split(' '), '--root', root]);
      assert.is(stderr, expected, line);
      assert.is(stdout, '');
      assert.is(code, 1);
    }
    assert.is((await plait(['status'], { PLAIT_ROOT: root })).stderr, expected);
  });
});

test('an agent that hangs up is one line too', async () => {
  await inDirectory(async (root) => {
    const server = createServer((socket) => socket.destroy());
    await mkdir(path.join(root, 'run'));
    server.listen(path.join(root, 'run/plait.sock'));
    await once(server, 'listening');
    const { code, stderr } = await plait(['--root', root, 'node', 'ls']);
    server.close();
    assert.is(code, 1);
    assert.match(stderr, /^plait: connect .*: the agent closed the connection\nhint: .*\n$/, stderr);
  });
});

test('says nothing when its reader goes away', async () => {
  const command = `node ${CLI} network create --help | true; echo \${PIPESTATUS[0]}`;
  const { stdout, stderr } = await new Promise<Outcome>((resolve) => {
    execFile('bash', ['-c', command], (_, out, err) => resolve({ code: 0, stdout: out, stderr: err }));
  });
  assert.is(stderr, '');
  assert.is(stdout, '0\n');
});

const completions: [string[], string[]][] = [
  [['netw'], ['network']],
  [['network', 'cr'], ['create']],
  [['network', 'create', '--sub'], ['--subnet']],
  [['--root', '/tmp', 'lab', 'u'], ['up']],
  [
    ['status', '--format', ''],
    ['text', 'json'],
  ],
  [
    ['completion', ''],
    ['bash', 'zsh', 'fish'],
  ],
  [['network', 'rm', ''], []],
];
for (const [words, expected] of completions) {
  test(`completes "plait ${words.join(' ')}"`, async () => {
    const { code, stdout } = await plait(['--root', '/nonexistent', '__complete', '--', ...words]);
    assert.is(code, 0);
    assert.equal(stdout.split('\n').filter(Boolean), expected);
  });
}

test('the script for bash completes in bash', async () => {
  const script = `
    plait() { ${process.execPath} ${CLI} "$@"; }
    source <(plait completion bash)
    COMP_WORDS=(plait network i) COMP_CWORD=2; _plait; echo "\${COMPREPLY[*]}"`;
  const stdout = await new Promise<string>((resolve) => {
    execFile('bash', ['-c', script], (_, out) => resolve(out));
  });
  assert.is(stdout, 'inspect\n');
});

test('the script for fish offers what fits, and files where nothing does', async () => {
  const script = `
    function plait; ${process.execPath} ${CLI} --root /nonexistent $argv; end
    plait completion fish | source
    complete -C 'plait network i'; complete -C 'plait attach /etc/host'`;
  const stdout = await new Promise<string>((resolve) => {
    execFile('fish', ['--no-config', '-c', script], { cwd: '/etc' }, (_, out) => resolve(out));
  });
  const offered = stdout.split('\n').map((line) => line.split('\t')[0]);
  assert.is(offered[0], 'inspect');
  assert.ok(offered.includes('/etc/hosts'), stdout);
});

test.run();
