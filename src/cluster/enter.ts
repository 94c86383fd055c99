/* How this host enters a cluster that is there: asks a manager, and writes down what the agent needs. */
import type { Paths } from '../model/paths.js';
import { makePrivateDirectory } from '../state/files.js';
import { loadIdentity } from '../state/identity.js';
import { keepExternalEtcd } from './etcd/external.js';
import { becomeMember, forgetEtcd, refuseMember } from './found.js';
import { joinCluster } from './join-client.js';
import type { Role } from './pki/records.js';
import { parseToken } from './pki/token.js';

export interface Entering {
  /** As `join-token` printed it. Secret. */
  readonly token: string;
  /** HOST[:PORT] */
  readonly managers: readonly string[];
  readonly name: string;
  readonly advertiseAddress: string;
  readonly listenAddress: string;
  readonly dataPathAddress: string;
}

export async function enterCluster(
  { state }: Paths,
  entering: Entering,
): Promise<{ readonly node: string; readonly role: Role }> {
  const token = parseToken(entering.token);
  await refuseMember('join cluster', state);
  await makePrivateDirectory(state);
  const { id: node } = await loadIdentity(state, entering.name);
  const joined = await joinCluster({ ...entering, token, node });
  await forgetEtcd(state);
  if (joined.externalEtcd) await keepExternalEtcd(state, joined.externalEtcd);
  await becomeMember(state, joined.credentials, joined.membership);
  return { node, role: joined.membership.role };
}
