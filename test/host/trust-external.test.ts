// timeout: 240 s

// A cluster whose etcd somebody else runs, with a certificate authority of its own: `init --external-etcd`. No manager runs
// etcd, all can, and a worker gets no nearer to it than to a manager's own.

import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { createAuthority, issue } from '../../src/cluster/pki/authority.js';
import type { Role } from '../../src/cluster/pki/records.js';
import { createKeyAndRequest } from '../../src/cluster/pki/request.js';
import type { Job } from '../../src/lab/exec.js';
import type { Lab } from '../../src/lab/lab.js';
import { plainHostsOf, underlayAddress } from '../../src/lab/topology.js';
import { waitFor } from '../../src/lab/wait.js';
import type { NodeAnswer } from '../../src/model/api.js';
import { pathsFor } from '../../src/model/paths.js';
import { randomId } from '../../src/model/records.js';
import { allReach, attach, type Container } from './support/containers.js';
import { filesOf } from './support/outsider.js';
import { scenarios } from './support/scenarios.js';

const PORT = 12379;
const URL = `https://${underlayAddress.v4}:${PORT}`;
const TLS = mkdtempSync('/dev/shm/pt-etcd-');
const file = (name: string): string => join(TLS, name);
const OPTIONS = `--external-etcd ${URL} --etcd-ca ${file('ca.crt')}`;
const CLIENT = `--etcd-cert ${file('client.crt')} --etcd-key ${file('client.key')}`;
let etcd: Job | undefined;
let containers: Container[] = [];

const { scenario, run } = scenarios({ nodes: 0, plainHosts: ['h1', 'h2', 'h3'] }, async (lab) => {
  const owner = randomId();
  const authority = await createAuthority({ cluster: owner });
  const certificate = async (name: string, role: Role): Promise<void> => {
    const { key, csr } = await createKeyAndRequest();
    const subject = { node: randomId(), role, cluster: owner, expirySeconds: 86_400 };
    const text = await issue(authority, csr, { ...subject, addresses: [underlayAddress.v4] });
    write(`${name}.crt`, text);
    write(`${name}.key`, key);
  };
  write('ca.crt', authority.certificate);
  await certificate('server', 'worker');
  await certificate('client', 'worker');
  await certificate('other', 'worker');
  write('rubbish.crt', 'not a certificate\n');
  await startEtcd(lab);
});
process.once('exit', () => rmSync(TLS, { recursive: true, force: true }));

function write(name: string, text: string): void {
  writeFileSync(file(name), text, { mode: 0o600 });
}

/** Once more with the same data. */
async function startEtcd(lab: Lab): Promise<void> {
  const peer = 'http://127.0.0.1:12380';
  const lines = [
    `etcd --name theirs --data-dir ${file('data')} --unsafe-no-fsync --client-cert-auth`,
    `--listen-client-urls ${URL} --advertise-client-urls ${URL} --listen-peer-urls ${peer}`,
    `--initial-advertise-peer-urls ${peer} --initial-cluster theirs=${peer}`,
    `--trusted-ca-file ${file('ca.crt')} --cert-file ${file('server.crt')} --key-file ${file('server.key')}`,
    '--logger zap --log-outputs stderr --log-level error',
  ];
  etcd = lab.start('underlay', lines.join(' '));
  await waitFor('their etcd to answer', async () => /is healthy/.test(await ctl(lab, 'endpoint health')));
}

/** As the administrator of that etcd; what it says, whether it is done or not. */
async function ctl(lab: Lab, words: string): Promise<string> {
  const tls = `--cacert ${file('ca.crt')} --cert ${file('client.crt')} --key ${file('client.key')}`;
  const line = `env ETCDCTL_API=3 etcdctl --endpoints ${URL} ${tls} --command-timeout=3s ${words}`;
  const { stdout, stderr } = await lab.try('underlay', line.split(' '));
  return stdout + stderr;
}

const vtep = (lab: Lab, host: string): string =>
  plainHostsOf(lab.spec).find(({ name }) => name === host)?.vtep ?? '';

const stateOf = (lab: Lab, host: string): string => pathsFor(lab.root(host)).state;

const init = (lab: Lab, host: string, options: string) =>
  lab.try(
    host,
    `plait init --name ${host} --advertise-addr ${vtep(lab, host)} ${options}`
      .replace(/ +/g, ' ')
      .trim()
      .split(' '),
  );

async function joinAs(lab: Lab, host: string, role: Role): Promise<void> {
  const token = (await lab.plait('h1', `join-token -q ${role}`)).trim();
  const name = `--name ${host} --advertise-addr ${vtep(lab, host)}`;
  await lab.plait(host, `join ${name} --token ${token} ${vtep(lab, 'h1')}`);
  lab.adoptAgent(host);
}

async function members(lab: Lab, at = 'h1'): Promise<string[]> {
  const all = JSON.parse(await lab.plait(at, 'node ls --format json')) as NodeAnswer[];
  return all.map(({ name, role, state }) => `${name} ${role} ${state}`);
}

for (const [what, options, says] of [
  ['files without an etcd', CLIENT, /--etcd-cert: there is no --external-etcd/],
  ['a certificate without the CA', `--external-etcd ${URL} ${CLIENT}`, /--etcd-cert: --etcd-ca is missing/],
  ['https and nobody to trust', `--external-etcd ${URL}`, /whom to trust there is not said.*--etcd-ca/s],
  ['an address that is none', '--external-etcd 192.0.2.9:2379', /not https:\/\/HOST:PORT/],
  ['http to another host', '--external-etcd http://192.0.2.9:2379', /everybody on the way reads/],
  [
    'a file that is not there',
    `--external-etcd ${URL} --etcd-ca /nowhere`,
    /\/nowhere \(--etcd-ca\): ENOENT/,
  ],
  [
    'a file that is no certificate',
    `--external-etcd ${URL} --etcd-ca ${file('rubbish.crt')}`,
    /--etcd-ca: no PEM of that kind/,
  ],
  ['a certificate without its key', `${OPTIONS} --etcd-cert ${file('client.crt')}`, /go together/],
  [
    'the key of another',
    `${OPTIONS} --etcd-cert ${file('client.crt')} --etcd-key ${file('other.key')}`,
    /not that of the certificate/,
  ],
  ['an etcd that wants a certificate', OPTIONS, /make cluster: .*etcd.*--etcd-cert/s],
  [
    'an etcd that nobody runs',
    `--external-etcd https://${underlayAddress.v4}:12399 --etcd-ca ${file('ca.crt')} ${CLIENT}`,
    /make cluster: .*12399/s,
  ],
] as const) {
  scenario(`refused, and nothing is changed: ${what}`, async (lab) => {
    const { status, stderr } = await init(lab, 'h1', options);
    assert.ok(status === 1 || status === 2, `${status}: ${stderr}`);
    assert.match(stderr, says);
    assert.not(existsSync(join(stateOf(lab, 'h1'), 'cluster.json')), stderr);
    assert.not.match(await ctl(lab, 'get --prefix --keys-only /plait/'), /plait/);
  });
}

scenario('init, a worker and a second manager by the printed lines, none of whom runs etcd', async (lab) => {
  const { status, stderr } = await init(lab, 'h1', `${OPTIONS} ${CLIENT}`);
  assert.is(status, 0, stderr);
  lab.adoptAgent('h1');
  await joinAs(lab, 'h2', 'worker');
  await joinAs(lab, 'h3', 'manager');
  assert.equal(await members(lab), ['h1 manager ready', 'h2 worker ready', 'h3 manager ready']);
  for (const host of ['h1', 'h3']) {
    assert.not(existsSync(join(stateOf(lab, host), 'etcd')), host);
    assert.not.match(await lab.sh(host, 'ss -Hltn'), /:23(79|80) /);
    const kept = join(stateOf(lab, host), 'external-etcd.json');
    assert.is(statSync(kept).mode & 0o777, 0o600, host);
    assert.match(await lab.plait(host, 'status'), new RegExp(`^etcd: .*${URL}`, 'm'));
  }
  assert.not(existsSync(join(stateOf(lab, 'h2'), 'external-etcd.json')));
  await lab.plait('h2', 'network create --subnet 10.10.0.0/24 app');
  containers = [await attach(lab, 'h1', 'c1'), await attach(lab, 'h2', 'c2'), await attach(lab, 'h3', 'c3')];
  await allReach(lab, containers);
  for (const host of ['h1', 'h2', 'h3']) await lab.plait(host, 'verify');
});

scenario('a second cluster in the same etcd is refused', async (lab) => {
  await lab.plait('h3', 'node ls');
  const root = `${lab.root('h2')}-other`;
  const line = `plait --root ${root} init --no-agent --name x --listen-addr 127.0.0.5 --advertise-addr ${vtep(lab, 'h2')}`;
  const { status, stderr } = await lab.try('h2', `${line} ${OPTIONS} ${CLIENT}`.split(' '));
  assert.is(status, 1);
  assert.match(stderr, /holds one already.*plait join/s);
  assert.not(existsSync(join(pathsFor(root).state, 'cluster.json')));
});

scenario('a worker reads no secret of it, by whichever manager', async (lab) => {
  const { ca, certificate, key } = filesOf(lab, 'h2');
  for (const at of ['h1', 'h3']) {
    const tls = `--endpoints https://${vtep(lab, at)}:2377 --cacert ${ca} --cert ${certificate} --key ${key}`;
    const get = `env ETCDCTL_API=3 etcdctl ${tls} --command-timeout=5s get --prefix`;
    const said = await lab.try('h2', `${get} /plait/secrets/`.split(' '));
    assert.match(said.stderr, /PermissionDenied|permission denied/i, at);
    assert.match((await lab.try('h2', `${get} /plait/nodes/`.split(' '))).stdout, /"name":"h3"/, at);
  }
  const plain = `env ETCDCTL_API=3 etcdctl --endpoints ${URL} --cacert ${file('ca.crt')} --cert ${certificate} --key ${key}`;
  const { status } = await lab.try('h2', `${plain} --command-timeout=3s get --prefix /plait/`.split(' '));
  assert.is.not(status, 0, 'the certificate of a member is none of that etcd');
});

scenario('a worker becomes a manager and one again, and learns and forgets where etcd is', async (lab) => {
  const kept = join(stateOf(lab, 'h2'), 'external-etcd.json');
  await lab.plait('h1', 'node promote h2');
  await waitFor('h2 to be a manager', async () => {
    return existsSync(kept) && (await lab.try('h2', ['plait', 'join-token', '-q', 'worker'])).status === 0;
  });
  assert.equal(await members(lab, 'h2'), ['h1 manager ready', 'h2 manager ready', 'h3 manager ready']);
  await lab.plait('h3', 'node demote h2');
  await waitFor('h2 to be a worker', async () => {
    return !existsSync(kept) && (await lab.try('h2', ['plait', 'join-token', '-q', 'worker'])).status !== 0;
  });
  await lab.plait('h2', 'verify');
});

scenario('a manager is lost: the others go on, and it is removed', async (lab) => {
  await lab.killAgent('h1');
  await waitFor('h1 to be down', async () => (await members(lab, 'h3')).includes('h1 manager down'), 40_000);
  const four = await attach(lab, 'h2', 'c4');
  await allReach(lab, [...containers, four]);
  await lab.plait('h3', 'node rm --force h1');
  assert.equal(await members(lab, 'h3'), ['h2 worker ready', 'h3 manager ready']);
  const { status, stderr } = await lab.try('h3', ['plait', 'node', 'demote', 'h3']);
  assert.is(status, 1);
  assert.match(stderr, /only manager/);
});

scenario(
  'etcd is away for a while: traffic goes on, doctor and status name it, all is well afterwards',
  async (lab) => {
    await etcd?.stop('SIGKILL');
    const [, two, three] = containers;
    assert.ok(two && three);
    await waitFor('the status to tell', async () =>
      /etcd is not followed/.test((await lab.try('h3', ['plait', 'status'])).stderr),
    );
    await allReach(lab, [two, three]);
    const { stdout } = await lab.try('h3', ['plait', 'doctor']);
    assert.match(stdout, new RegExp(`etcd at ${URL}.*`));
    await startEtcd(lab);
    await waitFor(
      'the nodes to follow it',
      async () => (await lab.try('h2', ['plait', 'verify'])).status === 0,
    );
    await waitFor(
      'h3 to be well',
      async () => (await lab.try('h3', ['plait', 'doctor'])).status === 0,
      30_000,
    );
  },
);

scenario('what is for an etcd of one’s own says so', async (lab) => {
  const backup = await lab.try('h3', ['plait', 'backup', file('backup')]);
  assert.is(backup.status, 1);
  assert.match(backup.stderr, /not run by managers.*etcdctl snapshot save/s);
  const forced = await lab.try('h3', ['plait', 'init', '--force-new-cluster', '--no-agent']);
  assert.is(forced.status, 1);
  assert.match(forced.stderr, /not run by managers/);
});

scenario('the etcd goes', async () => {
  await etcd?.stop('SIGKILL');
});

run();
