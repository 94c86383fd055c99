/*
 * How a host asks to be let into a cluster. The first question is put to whoever answers, and tells nothing: whose
 * certificates are yours? Only if one of them is that of the token is anything said, over a connection that it vouches for.
 */
import { z } from 'zod';
import { PlaitError } from '../model/errors.js';
import { patience } from '../patience.js';
import type { Credentials } from './credentials.js';
import { ManagerClient } from './manager/client.js';
import { helloSchema, joinedSchema } from './manager/contract.js';
import { JOIN_PORT, type MembershipFile, managerAt } from './membership-file.js';
import { digestOf, findByDigest, splitBundle } from './pki/bundle.js';
import { createKeyAndRequest } from './pki/request.js';
import type { Token } from './pki/token.js';
import type { ExternalEtcd } from './records.js';

export interface JoinInput {
  readonly token: Token;
  /** HOST[:PORT] */
  readonly managers: readonly string[];
  /** Id of this node. */
  readonly node: string;
  readonly name: string;
  readonly advertiseAddress: string;
  readonly listenAddress: string;
  readonly dataPathAddress: string;
}

export interface JoinResult {
  readonly credentials: Credentials;
  readonly membership: MembershipFile;
  readonly externalEtcd: ExternalEtcd | undefined;
}

/** Certificates are valid from an hour before they are made; more than this is a clock that is wrong. */
const MOST_SKEW_MS = 5 * 60_000;
/** etcd takes one new member at a time. */
const JOIN_MS = patience(60_000);

/** Throws what the managers refuse with; WrongAuthority; ClockSkew; ManagersUnreachable. */
export async function joinCluster(input: JoinInput): Promise<JoinResult> {
  const { token, node, name, advertiseAddress, listenAddress, dataPathAddress } = input;
  const managers = input.managers.map(withPort);
  const ca = await vouchedBy(token, managers);
  const client = new ManagerClient({ managers, credentials: { ca } });
  try {
    const hello = await client.ask({ method: 'GET', path: '/v1/hello' }, helloSchema);
    checkClock(new Date(hello.time));
    const { key, csr } = await createKeyAndRequest();
    const body = { secret: token.secret, nonce: hello.nonce, csr, node, name, address: advertiseAddress };
    const joined = await client.ask(
      { method: 'POST', path: '/v1/join', body, timeoutMs: JOIN_MS },
      joinedSchema,
    );
    const { role, cluster, dataPathPort, initialCluster, externalEtcd } = joined;
    const self = role === 'manager' ? [managerAt(node, advertiseAddress)] : [];
    return {
      externalEtcd,
      credentials: { ca: joined.ca, certificate: joined.certificate, key },
      membership: {
        ...{
          version: 1,
          cluster,
          role,
          name,
          advertiseAddress,
          listenAddress,
          dataPathAddress,
          dataPathPort,
        },
        managers: [...joined.managers.filter((manager) => manager.node !== node), ...self],
        ...(initialCluster === undefined ? {} : { firstStart: { kind: 'existing', initialCluster } }),
      },
    };
  } finally {
    client.close();
  }
}

/** Throws INVALID_INPUT. */
export function withPort(manager: string): string {
  const isBare = /^[^:[\]]+$/.test(manager) || /^\[[^\]]+\]$/.test(manager);
  const text = isBare ? `${manager}:${JOIN_PORT}` : manager;
  if (/^(\[[0-9a-f:.]+\]|[^:[\]/\s]+):\d{1,5}$/i.test(text)) return text;
  throw new PlaitError('INVALID_INPUT', `ask manager ${JSON.stringify(manager)}: not HOST or HOST:PORT`, {
    hint: 'an IPv6 address needs brackets, as in [2001:db8::1]:2377',
  });
}

/** The certificate of the token, from the first manager that has it. */
async function vouchedBy({ digest }: Token, managers: readonly string[]): Promise<string> {
  const client = new ManagerClient({ managers, credentials: {} });
  try {
    const { ca } = await client.ask({ method: 'GET', path: '/v1/ca' }, z.looseObject({ ca: z.string() }));
    const found = findByDigest(ca, digest);
    if (found !== undefined) return found;
    const theirs = splitBundle(ca).map(digestOf).join(', ');
    throw new PlaitError(
      'WRONG_AUTHORITY',
      `join cluster: the token is for CA ${digest}, and the manager has ${theirs || 'none'}`,
      {
        hint: 'this is another cluster, or the CA was rotated: get the token from `plait join-token` on the manager',
      },
    );
  } finally {
    client.close();
  }
}

function checkClock(theirs: Date): void {
  const skewMs = Date.now() - theirs.getTime();
  if (Math.abs(skewMs) <= MOST_SKEW_MS) return;
  const minutes = Math.round(Math.abs(skewMs) / 60_000);
  throw new PlaitError(
    'CLOCK_SKEW',
    `join cluster: the clock of this host is ${minutes} min ${skewMs > 0 ? 'ahead of' : 'behind'} the manager's, ${theirs.toISOString()}`,
    { hint: 'set it: `timedatectl set-ntp true`, or `date --utc --set=…`' },
  );
}
