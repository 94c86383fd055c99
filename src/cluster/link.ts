/*
 * How an agent reaches its cluster, and what it does for it. Three kinds: an etcd that it was told of (development), a
 * worker's (through managers), a manager's (runs etcd, and answers workers and joiners).
 */
import { PlaitError } from '../model/errors.js';
import { Store } from '../store/store.js';
import { type ClusterAccess, direct } from '../store/writes.js';
import type { Admin } from './admin.js';
import type { MembershipFile } from './membership-file.js';
import type { Availability } from './records.js';

/** An etcd that is believed as it is, and believes us; or the cluster that this host is a member of. */
export type ClusterSource =
  | { readonly kind: 'etcd'; readonly urls: readonly string[] }
  | { readonly kind: 'member'; readonly membership: MembershipFile };

export interface ClusterLink {
  readonly access: ClusterAccess;
  /** Where etcd is asked, for people. */
  readonly endpoints: () => readonly string[];
  /** HOST:PORT of managers. */
  readonly managers: () => readonly string[];
  /** What managers say of this node; active where nobody says anything. */
  readonly availability: () => Availability;
  /** What managers alone can do; throws NotManager. */
  readonly admin: () => Admin;
  /** Begins what runs beside the agent. Never waits for the cluster, and never fails: notices say what is wrong. */
  start(): void;
  /** Throws where this node must not leave: what would be lost with it, and how it is done all the same. */
  checkLeave(): Promise<void>;
  /** Ends what the node is to the others besides its records, while it still is a member and is listened to. */
  leave(): Promise<void>;
  close(): Promise<void>;
}

export class NotManager extends PlaitError {
  constructor(why: string, hint: string) {
    super('NOT_MANAGER', `ask for the cluster's trust: ${why}`, { hint });
  }
}

/** An etcd without certificates: whoever reaches it rules the network. */
export function plainLink(urls: readonly string[]): ClusterLink {
  const store = new Store({ endpoints: urls });
  return {
    access: direct(store),
    endpoints: () => urls,
    managers: () => [],
    availability: () => 'active',
    admin: () => {
      throw new NotManager(
        'this agent was told of an etcd by --etcd and has no cluster of its own',
        'see `plait init`',
      );
    },
    start: () => undefined,
    checkLeave: async () => undefined,
    leave: async () => undefined,
    close: async () => store.close(),
  };
}
