// timeout: 300 s

// A cluster from nothing by the lines that a person types, and everybody who must not get in: refused with a message that
// names the cause, and no trace of a member.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { JOIN_PORT } from '../../src/cluster/membership-file.js';
import { createAuthority, issue } from '../../src/cluster/pki/authority.js';
import { digestOf } from '../../src/cluster/pki/bundle.js';
import { identityOf } from '../../src/cluster/pki/identity.js';
import { caRecordSchema } from '../../src/cluster/pki/records.js';
import { createKeyAndRequest } from '../../src/cluster/pki/request.js';
import { formatToken, parseToken } from '../../src/cluster/pki/token.js';
import type { Lab } from '../../src/lab/lab.js';

import { waitFor } from '../../src/lab/wait.js';
import type { NodeAnswer } from '../../src/model/api.js';
import { randomId } from '../../src/model/records.js';
import { patience } from '../../src/patience.js';
import { allReach, attach } from './support/containers.js';
import { ask, filesOf, withFiles } from './support/outsider.js';
import { scenarios } from './support/scenarios.js';

const STRANGER = 'k1';
const started = performance.now();
let tookMs = 0;

const { scenario, run } = scenarios({ nodes: 3, managers: 1, plainHosts: [STRANGER, 'k2'] }, async () => {
  tookMs = performance.now() - started;
});

const manager = (lab: Lab): string => `https://${lab.node('n1').vtep}:${JOIN_PORT}`;
const address = (lab: Lab): string => `${lab.node('n1').vtep}:${JOIN_PORT}`;
const tokenOf = async (lab: Lab, role = 'worker'): Promise<string> =>
  (await lab.plait('n1', `join-token -q ${role}`)).trim();

async function members(lab: Lab): Promise<NodeAnswer[]> {
  return JSON.parse(await lab.plait('n1', 'node ls --format json')) as NodeAnswer[];
}

/** The line fails with these words, and there are three members as before. */
async function refused(lab: Lab, line: string, says: RegExp, env = ''): Promise<void> {
  const { status, stderr } = await lab.try(STRANGER, `${env}plait join --name x ${line}`.trim().split(' '));
  assert.is(status, 1, stderr);
  assert.match(stderr, says);
  assert.is((await members(lab)).length, 3);
}

scenario('three hosts are a cluster within 15 s, and their containers talk', async (lab) => {
  console.log(`NOTE three hosts are a cluster after ${(tookMs / 1000).toFixed(1)} s`);
  assert.ok(tookMs < patience(15_000), `${tookMs} ms`);
  // `join` is done when the host is one of the cluster; that it is alive is told a moment later.
  await waitFor('three nodes that are ready', async () => {
    const found = await members(lab);
    return found.length === 3 && found.every(({ state }) => state === 'ready');
  });
  const roles = (await members(lab)).map(({ name, role }) => `${name} ${role}`);
  assert.equal(roles, ['n1 manager', 'n2 worker', 'n3 worker']);
  await lab.plait('n2', 'network create --subnet 10.10.0.0/24 app');
  const containers = [
    await attach(lab, 'n1', 'c1'),
    await attach(lab, 'n2', 'c2'),
    await attach(lab, 'n3', 'c3'),
  ];
  await allReach(lab, containers);
  for (const { name } of lab.nodes) await lab.plait(name, 'verify');
});

scenario('the printed line is the one that works', async (lab) => {
  const said = await lab.plait('n1', 'join-token worker');
  assert.match(said, `plait join --token ${await tokenOf(lab)} ${address(lab)}`);
});

scenario(
  'everything secret is for root alone, and neither ps nor the log nor an answer has it',
  async (lab) => {
    const { key } = filesOf(lab, 'n1');
    const modes = (
      await lab.sh('n1', `stat -Lc %a ${key} ${lab.root('n1')}/lib ${lab.root('n1')}/lib/etcd`)
    ).split('\n');
    assert.equal(modes.slice(0, 3), ['600', '700', '700']);
    const secrets = [
      parseToken(await tokenOf(lab)).secret,
      readFileSync(key, 'utf8').split('\n')[1] ?? '',
      authorityOf(lab).key.split('\n')[1] ?? '',
    ];
    const said = [
      await lab.exec('n1', ['ps', '-eo', 'args']),
      readFileSync(lab.log('n1'), 'utf8'),
      await lab.plait('n1', 'node inspect n1 n2'),
      await lab.plait('n1', 'status --format json'),
      await lab.plait('n1', 'ca show --format json'),
    ].join('\n');
    for (const secret of secrets) {
      assert.ok(secret.length > 20);
      assert.not.ok(said.includes(secret));
    }
  },
);

scenario(
  'a wrong secret is refused, and after ten of them everything from there for a minute',
  async (lab) => {
    const { digest } = parseToken(await tokenOf(lab));
    const wrong = formatToken({ digest, secret: 'a'.repeat(25) });
    await refused(lab, `--token ${wrong} ${address(lab)}`, /not one of this cluster, or it was rotated/);
    const guess = async () => {
      const { body } = await ask(lab, STRANGER, `${manager(lab)}/v1/hello`);
      const request = {
        secret: 'b'.repeat(25),
        nonce: body.nonce,
        csr: (await createKeyAndRequest()).csr,
        node: randomId(),
      };
      return ask(lab, STRANGER, `${manager(lab)}/v1/join`, {
        body: { ...request, name: 'y', address: '192.0.2.201' },
      });
    };
    for (let count = 0; count < 9; count++) assert.is((await guess()).body.error?.code, 'WRONG_SECRET');
    assert.equal([(await guess()).status, (await guess()).body.error?.code], [429, 'TOO_MANY_GUESSES']);
    await refused(
      lab,
      `--token ${await tokenOf(lab)} ${address(lab)}`,
      /10 wrong tokens from 192\.0\.2\.201/,
    );
  },
);

scenario('a wrong digest: the joiner stops before it says anything', async (lab) => {
  const { secret } = parseToken(await tokenOf(lab));
  const other = await createAuthority({ cluster: randomId() });
  const token = formatToken({ digest: digestOf(other.certificate), secret });
  const log = readFileSync(lab.log('n1'), 'utf8');
  await refused(
    lab,
    `--token ${token} ${address(lab)}`,
    /the token is for CA [0-9a-z]{50}, and the manager has [0-9a-z]{50}/,
  );
  assert.is(readFileSync(lab.log('n1'), 'utf8'), log, 'the manager has heard of no attempt');
});

scenario('a join that is said again is refused', async (lab) => {
  const { secret } = parseToken(await tokenOf(lab));
  const { body: hello } = await ask(lab, 'k2', `${manager(lab)}/v1/hello`);
  const node = randomId();
  const body = {
    secret,
    nonce: hello.nonce,
    csr: (await createKeyAndRequest()).csr,
    node,
    name: 'once',
    address: '192.0.2.202',
  };
  const first = await ask(lab, 'k2', `${manager(lab)}/v1/join`, { body });
  assert.is(first.status, 200, JSON.stringify(first.body));
  assert.is(identityOf(first.body.certificate as string).node, node);
  const again = await ask(lab, 'k2', `${manager(lab)}/v1/join`, { body });
  assert.equal([again.status, again.body.error?.code], [403, 'REPLAYED']);
  await lab.plait('n1', `node rm --force ${node}`);
});

scenario('a rotated token is worth nothing', async (lab) => {
  const before = await tokenOf(lab, 'manager');
  await lab.plait('n1', 'join-token --rotate -q manager');
  const { status, stderr } = await lab.try(
    'k2',
    `plait join --name x --token ${before} ${address(lab)}`.split(' '),
  );
  assert.is(status, 1);
  assert.match(stderr, 'it was rotated');
  assert.is((await members(lab)).length, 3);
});

scenario('clocks two hours off, both ways, are named', async (lab) => {
  const line = `--token ${await tokenOf(lab)} ${address(lab)}`;
  const { stderr: ahead } = await lab.try('k2', `faketime -f +2h plait join --name x ${line}`.split(' '));
  assert.match(ahead, /the clock of this host is 120 min ahead of the manager's.*\n.*timedatectl/s);
  const { stderr: behind } = await lab.try('k2', `faketime -f -2h plait join --name x ${line}`.split(' '));
  assert.match(behind, /its certificate is not valid yet; this host's clock says/);
  assert.is((await members(lab)).length, 3);
});

scenario('certificates that are no more, not yet, or elsewhere valid are refused by name', async (lab) => {
  const authority = authorityOf(lab);
  const { key, csr } = await createKeyAndRequest();
  const { id: node } = (await members(lab)).find(({ name }) => name === 'n2') ?? { id: '' };
  const { cluster } = identityOf(readFileSync(filesOf(lab, 'n2').certificate, 'utf8'));
  const say = (certificate: string, path = '/v1/managers') =>
    withFiles({ ca: authority.certificate, certificate, key }, (files) =>
      ask(lab, 'n2', `${manager(lab)}${path}`, { files }),
    );
  const subject = { node, role: 'worker', cluster, addresses: ['192.0.2.2'] } as const;
  const hour = 3_600_000;
  const good = await issue(authority, csr, { ...subject, expirySeconds: 600 });
  assert.is((await say(good)).status, 200, 'the same with good dates is answered');
  const old = { ...subject, expirySeconds: 60, now: new Date(Date.now() - 3 * hour) };
  const expired = await say(await issue(authority, csr, old));
  assert.equal([expired.status, expired.body.error?.code], [403, 'CERTIFICATE_EXPIRED']);
  const early = { ...subject, expirySeconds: 600, now: new Date(Date.now() + 3 * hour) };
  const notYet = await say(await issue(authority, csr, early));
  assert.equal([notYet.status, notYet.body.error?.code], [403, 'CERTIFICATE_NOT_YET_VALID']);
  const elsewhere = await createAuthority({ cluster: randomId() });
  const foreign = await say(await issue(elsewhere, csr, { ...subject, expirySeconds: 600 }));
  assert.equal([foreign.status, foreign.body.error?.code], [403, 'OTHER_CLUSTER_CERTIFICATE']);
  const stranger = await say(
    await issue(authority, csr, { ...subject, node: randomId(), expirySeconds: 600 }),
  );
  assert.equal([stranger.status, stranger.body.error?.code], [403, 'NOT_MEMBER']);
  const nobody = await ask(lab, 'n2', `${manager(lab)}/v1/managers`);
  assert.equal([nobody.status, nobody.body.error?.code], [403, 'CERTIFICATE_MISSING']);
});

scenario('a host that has an agent already, of a cluster or not, does not join', async (lab) => {
  const line = `plait join --name x --token ${await tokenOf(lab)} ${address(lab)}`.split(' ');
  assert.match((await lab.try('n2', line)).stderr, 'this host is a member of a cluster');
  assert.match((await lab.try('n2', ['plait', 'init'])).stderr, 'this host is a member of a cluster');
  const agent = lab.start('k2', 'plait agent --advertise-addr 192.0.2.202 --etcd http://192.0.2.250:2379');
  await waitFor('the agent to answer', async () => (await lab.try('k2', ['plait', 'status'])).status !== 1);
  assert.match((await lab.try('k2', line)).stderr, /an agent runs on this host, PID \d+/);
  await agent.stop('SIGTERM');
  await lab.plait('k2', 'leave --force');
});

scenario('a node that leaves is nobody: not listed, not answered', async (lab) => {
  await lab.join('k2');
  const files = filesOf(lab, 'k2');
  const credentials = {
    ca: readFileSync(files.ca, 'utf8'),
    certificate: readFileSync(files.certificate, 'utf8'),
    key: readFileSync(files.key, 'utf8'),
  };
  assert.is((await members(lab)).length, 4);
  await lab.plait('k2', 'leave');
  await waitFor('it to be gone', async () => (await members(lab)).length === 3);
  const { body } = await withFiles(credentials, (kept) =>
    ask(lab, 'k2', `${manager(lab)}/v1/managers`, { files: kept }),
  );
  assert.is(body.error?.code, 'NOT_MEMBER');
});

function authorityOf(lab: Lab) {
  const { ca, certificate, key } = filesOf(lab, 'n1');
  const line = `etcdctl --endpoints https://127.0.0.1:2379 --cacert ${ca} --cert ${certificate} --key ${key}`;
  const found = execFileSync(
    'nsenter',
    [`--net=${lab.netns('n1')}`, ...line.split(' '), 'get', '--print-value-only', '/plait/secrets/ca'],
    { encoding: 'utf8', env: { ...process.env, ETCDCTL_API: '3' } },
  );
  return caRecordSchema.parse(JSON.parse(found));
}

run();
