/* The parts of a running agent, as its requests see them. */
import type { Logger } from 'pino';
import type { ClusterLink } from '../cluster/link.js';
import type { Datapath } from '../datapath/datapath.js';
import type { DesiredRows } from '../model/desired.js';
import type { ClusterView } from '../model/view.js';
import type { LinkChoice } from '../net/netkit.js';
import type { ClusterAccess } from '../store/writes.js';
import type { ClusterWatch } from './cluster-watch.js';
import type { DatapathSink } from './datapath-sink.js';
import type { DropFeed } from './drop-feed.js';
import type { Endpoints } from './endpoints.js';
import type { Locals } from './locals.js';
import type { Reconciler } from './reconciler.js';
import type { StoreHealth } from './store-health.js';

export interface Self {
  readonly id: string;
  readonly name: string;
  /** Underlay address. */
  readonly vtep: string;
  readonly version: string;
  readonly root: string | undefined;
  readonly port: number;
  readonly startedAt: Date;
}

export interface AgentContext extends ClusterAccess {
  readonly link: ClusterLink;
  readonly self: Self;
  readonly health: StoreHealth;
  readonly view: ClusterView;
  readonly watch: ClusterWatch;
  readonly desired: DesiredRows;
  readonly reconciler: Reconciler;
  readonly sink: DatapathSink;
  readonly datapath: Datapath;
  readonly links: LinkChoice;
  readonly locals: Locals;
  readonly endpoints: Endpoints;
  readonly dropFeed: DropFeed;
  readonly log: Logger;
  /** Things that a person should know, by what they are about; each a sentence. */
  readonly notices: Map<string, string>;
  /** Resolves once the maps follow the cluster's state; rejects when etcd stays away. */
  readonly ready: () => Promise<void>;
}
