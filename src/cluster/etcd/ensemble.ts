/*
 * The cluster's etcd as managers come and go. One that they run themselves has a member on each; one that somebody else runs
 * does not notice.
 */
import { PlaitError } from '../../model/errors.js';
import type { Store } from '../../store/store.js';
import type { Role } from '../pki/records.js';
import type { ExternalEtcd } from '../records.js';
import { isLoopback } from './external.js';
import { addMember, listMembers, moveMember, promoteLearners, removeMember } from './members.js';
import { checkLast, checkRemoval, type Voter } from './quorum.js';

export interface Member extends Voter {
  readonly role: Role;
}

export interface Ensemble {
  /** Makes a place for a new manager. Returns etcd's --initial-cluster, where it needs that. */
  admit(node: string, address: string): Promise<string | undefined>;
  /** Takes the place back; harmless where there is none. */
  dismiss(node: string, address: string): Promise<void>;
  /** The manager is at another address. */
  move(node: string, address: string): Promise<void>;
  /** Whether the others can count on this manager. */
  counts(node: string): Promise<boolean>;
  /** Throws LastManager, QuorumAtRisk. `nodes` are all of the cluster's. */
  checkRemoval(doing: string, nodes: readonly Member[], node: string): Promise<void>;
  /** What any manager does for any other, again and again. */
  tend(): Promise<void>;
}

export function ownEnsemble(store: Store): Ensemble {
  return {
    admit: (node, address) => addMember(store, node, address),
    dismiss: async (node, address) => void (await removeMember(store, node, address)),
    move: (node, address) => moveMember(store, node, address),
    counts: async (node) =>
      (await listMembers(store)).some((member) => member.node === node && !member.isLearner),
    async checkRemoval(doing, nodes, node) {
      const known = new Map(nodes.map((one) => [one.node, one]));
      const members = (await listMembers(store)).filter(({ isLearner }) => !isLearner);
      const voters = members.map((member) => {
        const { name = member.node, isUp = false } = known.get(member.node) ?? {};
        return { node: member.node, name, isUp };
      });
      checkRemoval(doing, voters, node);
    },
    tend: async () => void (await promoteLearners(store)),
  };
}

export function externalEnsemble({ endpoints }: ExternalEtcd): Ensemble {
  return {
    async admit() {
      const here = endpoints.find(isLoopback);
      if (here === undefined) return undefined;
      throw new PlaitError(
        'ETCD_ON_LOOPBACK',
        `add manager: the cluster's etcd is at ${here}, this host's own`,
        {
          hint: 'nodes can join as workers; a cluster with more managers begins with an --external-etcd that all reach',
        },
      );
    },
    dismiss: async () => undefined,
    move: async () => undefined,
    counts: async () => true,
    checkRemoval: async (doing, nodes, node) =>
      checkLast(
        doing,
        nodes.filter(({ role }) => role === 'manager'),
        node,
      ),
    tend: async () => undefined,
  };
}
