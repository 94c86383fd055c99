/*
 * How a cluster begins: makes the authority, the tokens and this node's certificate, and writes down what the agent needs to begin. Nothing
 * runs yet, and a failure leaves the host as it was: `cluster.json`, which makes it a member, is written last.
 */
import { rm } from 'node:fs/promises';
import { validatePools } from '../ipam/networkPlan.js';
import { PlaitError } from '../model/errors.js';
import type { Paths } from '../model/paths.js';
import { randomId } from '../model/records.js';
import { makePrivateDirectory } from '../state/files.js';
import { loadIdentity } from '../state/identity.js';
import { type Credentials, writeCredentials } from './credentials.js';
import { dataDirectory, peerUrl } from './etcd/arguments.js';
import { checkExternalEtcd, forgetExternalEtcd, keepExternalEtcd } from './etcd/external.js';
import { keepFirstRecords } from './first-records.js';
import {
  type MembershipFile,
  managerAt,
  membershipPath,
  readMembership,
  writeMembership,
} from './membership-file.js';
import { createAuthority, issue } from './pki/authority.js';
import { createKeyAndRequest } from './pki/request.js';
import { newTokenRecord } from './pki/token.js';
import { checkManagerPorts } from './ports.js';
import type { ExternalEtcd } from './records.js';

export interface Founding {
  readonly name: string;
  readonly advertiseAddress: string;
  readonly listenAddress: string;
  readonly dataPathAddress: string;
  readonly dataPathPort: number;
  readonly certExpirySeconds: number;
  readonly defaultAddressPools: readonly string[];
  readonly defaultAddressPoolMaskLength: number;
  /** One that somebody else runs; its managers run their own when left out. */
  readonly externalEtcd?: ExternalEtcd | undefined;
}

export class AlreadyMember extends PlaitError {
  constructor(doing: string, path: string) {
    super('ALREADY_MEMBER', `${doing}: this host is a member of a cluster (${path})`, {
      hint: '`plait leave` first',
    });
  }
}

/** Returns the node's id. */
export async function foundCluster(paths: Paths, founding: Founding): Promise<string> {
  const { state } = paths;
  await refuseMember('make cluster', state);
  const { defaultAddressPools: pools, defaultAddressPoolMaskLength: prefix } = founding;
  validatePools({ pools, prefix });
  const { externalEtcd } = founding;
  await checkManagerPorts(founding.listenAddress, externalEtcd === undefined);
  if (externalEtcd) await checkExternalEtcd(externalEtcd);
  await makePrivateDirectory(state);
  const { id: node } = await loadIdentity(state, founding.name);
  const cluster = randomId();
  const authority = await createAuthority({ cluster });
  const { key, csr } = await createKeyAndRequest();
  const { advertiseAddress, certExpirySeconds: expirySeconds } = founding;
  const certificate = await issue(authority, csr, {
    node,
    role: 'manager',
    cluster,
    expirySeconds,
    addresses: [advertiseAddress],
  });
  const now = new Date().toISOString();
  await keepFirstRecords(state, {
    cluster: {
      id: cluster,
      createdAt: now,
      certExpirySeconds: founding.certExpirySeconds,
      defaultAddressPools: [...founding.defaultAddressPools],
      defaultAddressPoolMaskLength: founding.defaultAddressPoolMaskLength,
      dataPathPort: founding.dataPathPort,
    },
    authority: { ...authority },
    tokens: {
      worker: newTokenRecord(authority, 'worker'),
      manager: newTokenRecord(authority, 'manager'),
    },
    node,
    spec: {
      role: 'manager',
      availability: 'active',
      labels: {},
      name: founding.name,
      address: advertiseAddress,
      joinedAt: now,
    },
    externalEtcd,
  });
  await forgetEtcd(state);
  if (externalEtcd) await keepExternalEtcd(state, externalEtcd);
  await becomeMember(
    state,
    { ca: authority.certificate, certificate, key },
    membershipOf(founding, cluster, node),
  );
  return node;
}

export async function refuseMember(doing: string, state: string): Promise<void> {
  if ((await readMembership(state)) !== undefined) throw new AlreadyMember(doing, membershipPath(state));
}

/** What is left of an etcd of an earlier life goes: it is no member of this cluster, or no longer. */
export async function forgetEtcd(state: string): Promise<void> {
  await forgetExternalEtcd(state);
  await rm(dataDirectory(state), { recursive: true, force: true });
}

/** `cluster.json` is what makes a host a member: it is written last. */
export async function becomeMember(
  state: string,
  credentials: Credentials,
  membership: MembershipFile,
): Promise<void> {
  await writeCredentials(state, credentials);
  await writeMembership(state, membership);
}

function membershipOf(founding: Founding, cluster: string, node: string): MembershipFile {
  const { name, advertiseAddress, listenAddress, dataPathAddress, dataPathPort, externalEtcd } = founding;
  const initialCluster = `${node}=${peerUrl(advertiseAddress)}`;
  return {
    version: 1,
    cluster,
    role: 'manager',
    name,
    advertiseAddress,
    listenAddress,
    dataPathAddress,
    dataPathPort,
    managers: [managerAt(node, advertiseAddress)],
    ...(externalEtcd ? {} : { firstStart: { kind: 'new', initialCluster } }),
  };
}
