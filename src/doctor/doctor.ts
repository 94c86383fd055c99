/*
 * Looks at everything that Plait stands on, from this host, and says of each fault how it is mended. It needs no agent: one
 * that does not run is a finding.
 */
import type { AgentClient } from '../client.js';
import { type Credentials, credentialPaths, readCredentials, storeTls } from '../cluster/credentials.js';
import { CLIENT_URL } from '../cluster/etcd/arguments.js';
import { connectionTo, readExternalEtcd } from '../cluster/etcd/external.js';
import { listMembers } from '../cluster/etcd/members.js';
import { ManagerClient } from '../cluster/manager/client.js';
import { helloSchema } from '../cluster/manager/contract.js';
import {
  ETCD_PEER_PORT,
  inUrl,
  JOIN_PORT,
  type MembershipFile,
  readMembership,
} from '../cluster/membership-file.js';
import { identityOf } from '../cluster/pki/identity.js';
import type { ExternalEtcd } from '../cluster/records.js';
import type { NodeAnswer, StatusAnswer, VerifyAnswer } from '../model/api.js';
import type { Paths } from '../model/paths.js';
import { Store } from '../store/store.js';
import { type Finding, fault, finding, ok, warning } from './finding.js';
import { pathMtu, tcpPort, udpPort } from './reach.js';

const MOST_SKEW_MS = 60_000;
const JOURNAL = '`journalctl -u plait` or the agent.log in its state directory says why';

/** In the order in which faults cause each other. */
export async function examine(paths: Paths, client: AgentClient): Promise<Finding[]> {
  const status = await client.get<StatusAnswer>('/v1/status').catch((error: Error) => error);
  const isUp = !(status instanceof Error);
  const membership = await readMembership(paths.state).catch(() => undefined);
  return [
    isUp ? ok('agent', `answers, pid ${status.pid}`) : fault('agent', status.message, `start it; ${JOURNAL}`),
    ...(isUp ? kernel(status) : []),
    ...(membership ? await trust(paths, membership) : []),
    ...(isUp ? etcdFollowed(status) : []),
    ...(isUp ? await others(client, status) : []),
    ...(isUp ? await maps(client) : []),
    ...(isUp ? status.warnings.map((text) => warning('agent', text, JOURNAL)) : []),
  ];
}

function kernel({ kernel: version, features }: StatusAnswer): Finding[] {
  const missing = Object.entries(features.found ?? {})
    .filter(([, has]) => !has)
    .map(([name]) => name);
  const without = missing.length > 0 ? `; not found: ${missing.join(', ')}` : '';
  return [ok('kernel', `Linux ${version}, programs attached by ${features.paths.attach}${without}`)];
}

/** Certificates, managers, clocks, etcd. */
async function trust(paths: Paths, membership: MembershipFile): Promise<Finding[]> {
  const rejoin = '`plait leave --force`, then `plait join`';
  const { certificate: file } = credentialPaths(paths.state);
  const credentials = await readCredentials(paths.state).catch(() => undefined);
  if (credentials === undefined)
    return [fault('certificate', `${file} is missing or cannot be read`, rejoin)];
  const own = await finding(
    'certificate',
    async () => {
      const { notBefore, notAfter, role } = identityOf(credentials.certificate);
      const now = new Date();
      if (now > notAfter)
        return fault('certificate', `it expired on ${notAfter.toISOString()}`, `set the clock, or ${rejoin}`);
      if (now < notBefore)
        return fault('certificate', `it is not valid before ${notBefore.toISOString()}`, 'set the clock');
      return ok('certificate', `${role}, until ${notAfter.toISOString()}`);
    },
    rejoin,
  );
  const external = await readExternalEtcd(paths.state).catch(() => undefined);
  const managers = membership.managers.filter(
    ({ api }) => api !== `${inUrl(membership.advertiseAddress)}:${JOIN_PORT}`,
  );
  const asked = await Promise.all(
    managers.map(({ api }) => manager(api, credentials, membership.role === 'manager' && !external)),
  );
  const etcd =
    membership.role !== 'manager'
      ? []
      : await (external ? externalHealth(external) : etcdHealth(credentials));
  return [...own, ...asked.flat(), ...etcd];
}

async function manager(api: string, credentials: Credentials, isFellow: boolean): Promise<Finding[]> {
  const { hostname } = new URL(`https://${api}`);
  const host = hostname.replace(/^\[|\]$/g, '');
  const port = await tcpPort(host, JOIN_PORT, `manager ${host}`);
  const peer = isFellow ? [await tcpPort(host, ETCD_PEER_PORT, `manager ${host}`)] : [];
  if (port.state !== 'ok') return [port, ...peer];
  const clock = await finding(
    `manager ${host}`,
    () => askHello(api, credentials),
    'see its log; `plait doctor` there',
  );
  return [port, ...peer, ...clock];
}

async function askHello(api: string, credentials: Credentials): Promise<Finding> {
  const client = new ManagerClient({ managers: [api], credentials });
  try {
    const { time } = await client.ask({ method: 'GET', path: '/v1/hello' }, helloSchema);
    const skewMs = Date.now() - Date.parse(time);
    const text = `${(Math.abs(skewMs) / 1000).toFixed(1)} s ${skewMs > 0 ? 'behind' : 'ahead of'} this host`;
    if (Math.abs(skewMs) <= MOST_SKEW_MS) return ok(`clock of manager ${api}`, text);
    return warning(`clock of manager ${api}`, text, 'set the one that is wrong: `timedatectl set-ntp true`');
  } finally {
    client.close();
  }
}

async function externalHealth(external: ExternalEtcd): Promise<Finding[]> {
  const store = new Store(connectionTo(external));
  const what = `etcd at ${store.where}`;
  try {
    return await finding(
      what,
      async () => {
        await store.ping();
        return ok(what, 'has a leader, and lets this manager in');
      },
      'bring it back; if its certificates are others now: external-etcd.json in the state directory of each manager',
    );
  } finally {
    store.close();
  }
}

async function etcdHealth(credentials: Credentials): Promise<Finding[]> {
  const store = new Store({ endpoints: [CLIENT_URL], tls: storeTls(credentials) });
  try {
    return await finding(
      'etcd of this manager',
      async () => {
        await store.ping();
        const members = await listMembers(store);
        const learners = members.filter(({ isLearner }) => isLearner).length;
        const text = `has a leader; ${members.length - learners} vote${learners > 0 ? `, ${learners} learn` : ''}`;
        if ((members.length - learners) % 2 === 1) return ok('etcd of this manager', text);
        return warning(
          'etcd of this manager',
          `${text}: an even number survives no more losses than one less`,
          '`plait node promote` or `demote` one',
        );
      },
      'bring the other managers up; if they are lost for good: `plait init --force-new-cluster`',
    );
  } finally {
    store.close();
  }
}

function etcdFollowed({ etcd }: StatusAnswer): Finding[] {
  if (etcd.state === 'connected') return [ok('cluster', `followed at revision ${etcd.revision}`)];
  return [
    fault(
      'cluster',
      `not followed: ${etcd.error ?? etcd.state}; traffic goes on as it was`,
      'see the findings about managers',
    ),
  ];
}

async function others(client: AgentClient, { underlay: { mtu, port } }: StatusAnswer): Promise<Finding[]> {
  const nodes = await client.get<NodeAnswer[]>('/v1/nodes').catch(() => []);
  const found = await Promise.all(
    nodes
      .filter(({ self }) => !self)
      .map(async ({ name, vtep, state }) => {
        if (state === 'down') {
          const mend = 'start its agent; if it is lost for good: `plait node rm`';
          return [warning(`node ${name}`, 'down: its agent does not renew its sign of life', mend)];
        }
        return [await pathMtu(vtep, mtu, `node ${name}`), await udpPort(vtep, port, `node ${name}`)];
      }),
  );
  return found.flat();
}

function maps(client: AgentClient): Promise<Finding[]> {
  return finding(
    'maps',
    async () => {
      const { differences } = await client.get<VerifyAnswer>('/v1/verify');
      if (differences.length === 0) return ok('maps', 'agree with the cluster');
      return fault(
        'maps',
        `${differences.length} difference(s)`,
        '`plait verify` lists them; the agent mends maps within a minute',
      );
    },
    JOURNAL,
  );
}
