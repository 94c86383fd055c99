/* `init --force-new-cluster`: this manager goes on alone with what it knows, since the majority is lost for good. */
import { PlaitError } from '../model/errors.js';
import type { Paths } from '../model/paths.js';
import { hasData } from './etcd/child.js';
import { readExternalEtcd } from './etcd/external.js';
import { readMembership, writeMembership } from './membership-file.js';

/** Written down for the next start of the agent, which must not run now. Returns the id of the cluster. */
export async function goOnAlone({ state }: Paths): Promise<string> {
  const membership = await readMembership(state);
  if ((await readExternalEtcd(state)) !== undefined) {
    throw new PlaitError('EXTERNAL_ETCD', 'go on alone: the etcd of this cluster is not run by managers', {
      hint: 'bring that back; a manager needs no other',
    });
  }
  if (membership?.role !== 'manager' || !(await hasData(state))) {
    throw new PlaitError('NOT_MANAGER', 'go on alone: this host is no manager of a cluster', {
      hint: 'run it on one that was a manager; `plait init` without --force-new-cluster makes a new cluster',
    });
  }
  await writeMembership(state, { ...membership, firstStart: { kind: 'forced', initialCluster: '' } });
  return membership.cluster;
}
