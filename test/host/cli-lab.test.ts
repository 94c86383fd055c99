// timeout: 120 s

// The commands against real agents: what goes to stdout and what to stderr, and the exit codes.

import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import * as assert from 'uvu/assert';
import type { Lab } from '../../src/lab/lab.js';
import { waitFor } from '../../src/lab/wait.js';
import { scenarios } from './support/scenarios.js';

const ID = /^[0-9a-z]{25}\n$/;

const { scenario, run } = scenarios({ nodes: 2 }, async (lab) => {
  await lab.addContainer('c1');
  await lab.addContainer('c2');
});

const plait = (lab: Lab, line: string, node = 'n1') => lab.try(node, ['plait', ...line.split(' ')]);

async function json<T>(lab: Lab, line: string, node = 'n1'): Promise<T> {
  return JSON.parse(await lab.plait(node, line)) as T;
}

scenario('create and attach print the id and nothing else', async (lab) => {
  const line = 'network create --subnet 10.10.0.0/24 --label tier=front --opt a=b app';
  for (const command of [
    line,
    `attach --network app --name web1 --alias www --label k=v ${lab.netns('c1')}`,
  ]) {
    const { stdout, stderr, status } = await plait(lab, command);
    assert.match(stdout, ID);
    assert.is(stderr, '');
    assert.is(status, 0);
  }
  assert.match(await lab.plait('n2', `attach --network app --ip 10.10.0.9 ${lab.netns('c2')}`), ID);
});

scenario('inspect prints a JSON array with what was asked for', async (lab) => {
  const [network] = await json<Record<string, unknown>[]>(lab, 'network inspect app');
  assert.is(network?.name, 'app');
  assert.equal(network?.subnets, [{ subnet: '10.10.0.0/24', gateway: '10.10.0.1' }]);
  assert.equal([network?.labels, network?.options], [{ tier: 'front' }, { a: 'b' }]);
  const [web] = await json<Record<string, unknown>[]>(lab, 'endpoint inspect web1');
  assert.equal([web?.name, web?.aliases, web?.labels], ['web1', ['www'], { k: 'v' }]);
  const [self, ...others] = await json<Record<string, unknown>[]>(lab, 'node inspect n1');
  assert.is(self?.self, true);
  assert.equal(others, []);
});

scenario('the endpoint without a --name is called like its namespace', async (lab) => {
  const names = await lab.plait('n2', 'endpoint ls --format {{.Name}}');
  assert.equal(names.trim().split('\n').sort(), [path.basename(lab.netns('c2')), 'web1'].sort());
});

scenario('lists can be filtered, quiet, JSON, templates and tables', async (lab) => {
  const [app] = await json<{ id: string }[]>(lab, 'network inspect app');
  assert.is(await lab.plait('n1', 'network ls -q'), `${app?.id}\n`);
  assert.is(await lab.plait('n1', 'network ls -q --filter name=nothing'), '');
  assert.is(
    await lab.plait('n1', 'network ls --filter label=tier=front --format {{.Name}}/{{.Subnets}}'),
    'app/10.10.0.0/24\n',
  );
  assert.is(await lab.plait('n1', 'endpoint ls -f node=n2 --format {{.Addresses}}'), '10.10.0.9\n');
  assert.is(await lab.plait('n1', 'endpoint ls -f local=yes --format {{.name}}'), 'web1\n');
  const table = await lab.plait('n1', 'node ls --no-trunc');
  assert.match(table, /^ID\s+NAME\s+VTEP\s+STATE\s+ROLE\s+AVAILABILITY\s+SELF\s+VERSION\n/);
  assert.match(table, /^[0-9a-z]{25}\s+n1\s+\S+\s+ready\s+-\s+-\s+yes\s+\S+$/m);
});

scenario('map dump decodes rows and filters them by VNI, MAC and address', async (lab) => {
  const [c2] = await json<{ mac: string }[]>(lab, 'endpoint ls -f node=n2 --format json');
  const [row, ...others] = await json<Record<string, unknown>[]>(lab, `map dump fdb --mac ${c2?.mac} --json`);
  assert.equal([row?.vni, row?.mac, row?.vtep], [4096, c2?.mac, lab.node('n2').vtep]);
  assert.equal(others, []);
  assert.is((await json<unknown[]>(lab, 'map dump neighbors --ip 10.10.0.9 --format json')).length, 1);
  assert.equal(await json<unknown[]>(lab, 'map dump fdb --vni 4097 --json'), []);
  assert.match(await lab.plait('n1', 'map ls'), /^fdb\s+hash\s+2\s+262144$/m);
});

scenario('a dump without rows says so, on stderr', async (lab) => {
  assert.equal(await plait(lab, 'map dump neighbors --vni 4097'), {
    ...{ stdout: '', stderr: 'no rows in neighbors like that\n', status: 0 },
  });
});

scenario('status and verify say that all is well', async (lab) => {
  assert.match(await lab.plait('n1', 'status'), /^etcd:\s+connected at revision \d+/m);
  assert.is((await json<{ nodes: { ready: number } }>(lab, 'status --json')).nodes.ready, 2);
  assert.match(
    await lab.plait('n1', 'verify'),
    /^no differences: \d+ rows agree with etcd at revision \d+\n$/,
  );
});

scenario('status tells what the kernel has and which way the datapath takes because of it', async (lab) => {
  const symbols = readFileSync('/proc/kallsyms', 'utf8');
  const tcx = / tcx_link_attach\b/.test(symbols);
  const netkit = / netkit_link_attach\b/.test(symbols);
  const text = await lab.plait('n1', 'status');
  const [present = '', missing = ''] = (/^features:\s+(.*)$/m.exec(text)?.[1] ?? '').split('; not found: ');
  assert.is(present.split(', ').includes('tcx'), tcx, text);
  assert.is(missing.split(', ').includes('netkit'), !netkit, text);
  assert.ok(present.includes('ringBuffer'), text);
  assert.match(text, new RegExp(`^paths:\\s+programs attached by ${tcx ? 'tcx' : 'clsact'}`, 'm'));
});

scenario('verify exits with 1 and names the row when a map was tampered with', async (lab) => {
  const pin = path.join(lab.root('n1'), 'bpf');
  const maps = (await lab.exec('n1', ['find', pin, '-name', 'neighbors'])).trim();
  const [row] = JSON.parse(await lab.exec('n1', ['bpftool', '-j', 'map', 'dump', 'pinned', maps])) as {
    key: string[];
  }[];
  assert.ok(row);
  await lab.exec('n1', [
    'bpftool',
    'map',
    'delete',
    'pinned',
    maps,
    'key',
    'hex',
    ...row.key.map((byte) => byte.slice(2)),
  ]);
  const { stdout, status } = await plait(lab, 'verify');
  assert.is(status, 1);
  assert.match(stdout, /^TABLE\s+KEY\s+PROBLEM\s+EXPECTED\s+ACTUAL\nneighbors\s+\S+.*\smissing\s/);
});

scenario('drops are counted by reason and followed as they happen', async (lab) => {
  const follow = lab.start('n1', 'plait drops --follow --json');
  const read = lab.start('n1', 'plait drops --follow');
  await lab.sh('c1', 'ip addr add 10.10.0.200/24 dev eth0');
  await lab.try('c1', ['ping', '-c1', '-W1', '-I', '10.10.0.200', '10.10.0.9']);
  await lab.sh('c1', 'ip addr del 10.10.0.200/24 dev eth0');
  await waitFor('a drop to be printed', async () => follow.stdout.includes('"spoofed-'));
  const last = follow.stdout.trim().split('\n').at(-1) ?? '';
  assert.equal(Object.keys(JSON.parse(last) as object).includes('reason'), true);
  await follow.stop('SIGINT');
  assert.match(
    read.stdout,
    /^\S+Z spoofed-\S+: .*10\.10\.0\.200.*, vni 4096, \d+ bytes, from_container on pl\w+ \(/m,
  );
  assert.not.match(read.stdout, /[0-9a-f]{24}/, 'no bytes');
  await read.stop('SIGINT');
  assert.match(await lab.plait('n1', 'drops'), /^spoofed-\w+\s+\d+\s+\d+\s+\S/m);
});

scenario('declares endpoints from options, a file and stdin', async (lab) => {
  const row = (n: number) => ({
    ...{ network: 'app', name: `p${n}`, vtep: '192.0.2.77', mac: `02:77:00:00:00:0${n}` },
    ip: [`10.10.0.7${n}`],
  });
  const one = await lab.plait(
    'n1',
    'endpoint add --network app --name p1 --vtep 192.0.2.77 --mac 02:77:00:00:00:01 --ip 10.10.0.71',
  );
  assert.match(one, ID);
  const file = path.join(lab.root('n1'), 'rows.json');
  writeFileSync(file, JSON.stringify([row(2), row(3)]));
  assert.match(await lab.plait('n1', `endpoint add --file ${file}`), /^([0-9a-z]{25}\n){2}$/);
  writeFileSync(file, JSON.stringify([{ ...row(4), mac: undefined }]));
  const { status, stderr } = await lab.try('n1', ['sh', '-c', `plait endpoint add --file - < ${file}`]);
  assert.is(status, 1);
  assert.match(stderr, /^plait: declare endpoint: 0\.mac: give a MAC address such as/);
});

scenario('several are removed in one go, and one that fails does not stop the others', async (lab) => {
  const { stdout, stderr, status } = await plait(lab, 'endpoint rm p1 nobody p2 p3');
  assert.is(stdout, 'p1\np2\np3\n');
  assert.is(stderr, 'plait: find endpoint nobody: no such endpoint\n');
  assert.is(status, 1);
});

scenario('a reader that goes away ends the command quietly', async (lab) => {
  const { stdout, stderr } = await lab.try('n1', [
    'bash',
    '-c',
    'plait map dump drops | true; echo $PIPESTATUS',
  ]);
  assert.is(stderr, '');
  assert.is(stdout, '0\n');
});

scenario('completion suggests names that the agent knows', async (lab) => {
  assert.is(await lab.plait('n1', '__complete -- detach web'), 'web1\n');
  assert.is(await lab.plait('n1', '__complete -- attach --network a'), 'app\n');
  assert.is(await lab.plait('n1', '__complete -- map dump fd'), 'fdb\n');
});

scenario('detach and rm leave nothing; the second time says so', async (lab) => {
  assert.is(await lab.plait('n1', 'detach web1'), 'web1\n');
  assert.is((await plait(lab, 'detach web1')).status, 1);
  const [c2] = (await lab.plait('n2', 'endpoint ls -q')).trim().split('\n');
  await lab.plait('n2', `detach ${c2?.slice(0, 8)}`);
  await lab.plait('n2', 'network rm app');
  assert.is(await lab.plait('n1', 'network ls -q'), '');
});

run();
