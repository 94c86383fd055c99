/*
 * The agent put together: what follows etcd, what brings the maps up to date, what attaches endpoints, what answers.
 *
 * The start needs the host and not etcd: programs and endpoints of an earlier agent are adopted, names and the API
 * are answered from the last known state, and all that etcd has to say is taken in when it answers. Closing lets go
 * of everything but the datapath, which goes on alone.
 */
import { join } from 'node:path';
import { interfaceIndex } from 'libbpf-ts-bindings';
import type { Logger } from 'pino';
import type { ClusterLink } from '../cluster/link.js';
import { Datapath } from '../datapath/datapath.js';
import type { XdpOption } from '../datapath/xdp-choice.js';
import { DnsServers } from '../dns/servers.js';
import { vtepAddress } from '../model/addresses.js';
import { DesiredRows } from '../model/desired.js';
import { StoreUnavailable } from '../model/errors.js';
import type { NetworkInput } from '../model/inputs.js';
import { type Paths, pathsFor } from '../model/paths.js';
import type { Node } from '../model/records.js';
import { ClusterView } from '../model/view.js';
import { chooseLinks, type LinkChoice, type LinkMode } from '../net/netkit.js';
import { makePrivateDirectory } from '../state/files.js';
import { loadIdentity } from '../state/identity.js';
import type { Store } from '../store/store.js';
import { Admission } from './admission.js';
import { ClusterWatch } from './cluster-watch.js';
import { Connector } from './connector.js';
import type { AgentContext, Self } from './context.js';
import { DatapathSink } from './datapath-sink.js';
import { Departure } from './departure.js';
import { DropFeed } from './drop-feed.js';
import { Endpoints } from './endpoints.js';
import { Gate } from './gate.js';
import { HeapTidy } from './heap-tidy.js';
import { HostWatch } from './host-watch.js';
import { Journal, type JournalEntry } from './journal.js';
import { type Local, Locals } from './locals.js';
import { lockNetwork, lockRoot } from './lock.js';
import { Membership } from './membership.js';
import { NamespaceWatch } from './namespace-watch.js';
import { Reconciler } from './reconciler.js';
import { Registration } from './registration.js';
import { Releasers } from './releasers.js';
import { clusterRequests, createNetworkHere } from './requests/cluster.js';
import { nodeRequests } from './requests/datapath.js';
import { endpointRequests } from './requests/endpoints.js';
import { guarded, leaveRequests } from './requests/leave.js';
import { trustRequests } from './requests/trust.js';
import { addRoutes } from './server/routes.js';
import { serve } from './server/server.js';
import { loadSnapshot, type Snapshot, SnapshotWriter } from './snapshot.js';
import { loadView, recoverLinks, removeStrayRecords, type StartupParts } from './startup.js';
import { StoreHealth } from './store-health.js';

/** As long as the store's own calls. */
const storeTimeoutMs = 3000;

export interface AgentOptions {
  /** Directory for everything the agent keeps; the system's own places without one. */
  readonly root?: string | undefined;
  /** Name of this node. */
  readonly name: string;
  /** This node's address on the underlay. */
  readonly address: string;
  /** How it reaches the cluster, once this host is locked for it. */
  readonly openCluster: (node: LinkedNode) => Promise<ClusterLink>;
  /** UDP port of VXLAN. */
  readonly port: number;
  /** What XDP does on the underlay. */
  readonly xdp: XdpOption;
  /** For tests and benchmarks: see `chooseXdp`. */
  readonly deliverOnVeth: boolean;
  /** Sockets for Docker's drivers and of the Docker Engine; none when left out. */
  readonly docker?: { readonly plugin: string; readonly engine: string } | undefined;
  /** What new containers' devices are. */
  readonly link: LinkMode;
  /** Group of this host that may use the API, too. */
  readonly socketGroup?: string | undefined;
  readonly version: string;
  readonly log: Logger;
}

/** What the way to the cluster knows of the agent. */
export interface LinkedNode {
  /** Id of the node. */
  readonly id: string;
  /** For a person: what is wrong with the cluster's trust or its etcd. */
  readonly notices: Map<string, string>;
}

export interface RunningAgent {
  readonly self: Self;
  /** Resolves when the host has left the cluster, and with that the agent's work is done. */
  readonly left: Promise<void>;
  /** Ends the agent; traffic goes on. */
  close(): Promise<void>;
}

/** Rejects, with everything given back, when the host or etcd refuses; an etcd that is away is no reason. */
export async function startAgent(options: AgentOptions): Promise<RunningAgent> {
  const releasers = new Releasers();
  const { log } = options;
  try {
    const { host, snapshot } = await openHost(options, releasers);
    const parts = assemble(options, host, snapshot, releasers);
    const departure = await begin(options, parts, snapshot, releasers);
    log.info({ node: host.self.id, socket: host.paths.socket }, 'the agent is up');
    const close = async (): Promise<void> => {
      await releasers.release(log);
      await departure.finish();
    };
    return { self: host.self, left: departure.ended, close };
  } catch (error) {
    await releasers.release(log);
    throw error;
  }
}

/** What the agent finds and takes on this host. */
interface Host {
  readonly paths: Paths;
  readonly self: Self;
  readonly node: Node;
  readonly journal: Journal;
  readonly datapath: Datapath;
  readonly links: LinkChoice;
  readonly link: ClusterLink;
  readonly notices: Map<string, string>;
}

/** The snapshot stands apart: nobody keeps it, it may be megabytes. */
interface Found {
  readonly host: Host;
  readonly snapshot: Snapshot | undefined;
}

async function openHost(options: AgentOptions, releasers: Releasers): Promise<Found> {
  const { log, port, xdp, deliverOnVeth, name, version, root } = options;
  const paths = pathsFor(root);
  const vtep = vtepAddress(options.address);
  await makePrivateDirectory(paths.state);
  releasers.push('lock', await lockRoot(join(paths.state, 'agent.lock')));
  releasers.push('network lock', await lockNetwork());
  const { id, createdAt } = await loadIdentity(paths.state, options.name);
  const journal = await Journal.open(join(paths.state, 'journal'), log);
  const snapshot = await loadSnapshot(snapshotPath(paths), log);
  const links = await chooseLinks(options.link);
  const datapath = await Datapath.open({
    bpf: paths.bpf,
    state: paths.state,
    address: vtep,
    port,
    xdp,
    deliverOnVeth,
  });
  releasers.push('datapath', () => datapath.close());
  log.info(
    {
      adopted: datapath.adopted,
      ...datapath.features.paths,
      ...datapath.underlay,
      xdp: datapath.xdp.state,
      links,
    },
    'datapath is in place',
  );
  const notices = new Map<string, string>();
  const link = await options.openCluster({ id, notices });
  releasers.push('cluster', () => link.close());
  const self = { id, name, vtep, version, root, port, startedAt: new Date() };
  const node = { id, name, vtep, version, labels: {}, createdAt };
  return { host: { paths, self, node, journal, datapath, links, link, notices }, snapshot };
}

/** The parts, connected and not yet moving. */
interface Parts extends Omit<AgentContext, 'ready'> {
  readonly host: Host;
  readonly dns: DnsServers;
  readonly membership: Membership;
  readonly admission: Admission;
}

function assemble(
  { log }: AgentOptions,
  host: Host,
  snapshot: Snapshot | undefined,
  releasers: Releasers,
): Parts {
  const { self, node, journal, datapath, paths, links, link, notices } = host;
  const view = new ClusterView();
  const { access } = link;
  const { store } = access;
  const health = new StoreHealth();
  const locals = new Locals();
  const desired = new DesiredRows(view, { node: self.id, vtepIndex: (vtep) => datapath.vteps.index(vtep) });
  const sink = new DatapathSink(datapath, view, self.id);
  const snapshots = new SnapshotWriter(snapshotPath(paths), view, { log, notices });
  releasers.push('snapshot', () => snapshots.close());
  const admission = admissionOf(host, snapshot, store, health);
  releasers.push('admission', () => admission.close());
  const membership = new Membership({ ...access, health, node, admission, log, notices });
  const watch: ClusterWatch = new ClusterWatch({
    store,
    view,
    health,
    log,
    node: self.id,
    admitted: admission.admitted,
    revision: snapshot?.revision,
    notices,
    onChange: () => reconciler.kick(),
    onRelist: () => reconciler.kickCompare(),
    onOwnNode: (record) => membership.seen(record),
    isLocal: (id) => isLocal(journal.get(id)),
    onLocalGone: (id) => registration.endpointGone(id),
    isInUse: (network) => journal.values().some((entry) => isAttachedTo(network, entry)),
    onNetworkGone: (network) => registration.networkGone(network),
  });
  releasers.push('watch', () => watch.close());
  const tidy = new HeapTidy();
  releasers.push('heap', () => tidy.close());
  const onPass = () => {
    tidy.busy();
    snapshots.schedule(watch.revision ?? '0');
  };
  const reconciler = new Reconciler({ view, desired, sink, log, onPass });
  releasers.push('reconciler', () => reconciler.close());
  const dns = new DnsServers({ view, log });
  releasers.push('names', () => dns.close());
  const connector = new Connector({ view, desired, reconciler, datapath, dns, locals, log });
  const cluster = { ...access, node: self.id, view, watch, health };
  const endpoints = new Endpoints({
    ...cluster,
    reconciler,
    connector,
    journal,
    locals,
    log,
    link: links.kind,
  });
  releasers.push('endpoints', () => endpoints.close());
  const registration = new Registration({ ...access, view, locals, endpoints, reconciler, notices, log });
  releasers.push('registration', () => registration.close());
  const dropFeed = new DropFeed(datapath);
  releasers.push('drops', () => dropFeed.close());
  const reachable = { ...access, link, self, health, view, watch, notices, log };
  return {
    ...reachable,
    desired,
    reconciler,
    sink,
    datapath,
    links,
    locals,
    endpoints,
    dropFeed,
    host,
    dns,
    membership,
    admission,
  };
}

async function begin(
  { log, socketGroup, docker }: AgentOptions,
  parts: Parts,
  snapshot: Snapshot | undefined,
  releasers: Releasers,
): Promise<Departure> {
  const { host, view, reconciler, datapath, endpoints, health, notices, locals, membership, admission } =
    parts;
  const startup: StartupParts = { ...parts, node: host.self.id, journal: host.journal };
  view.putNode(host.node);
  view.putAlive(host.node.id);
  if (snapshot) loadView(startup, snapshot);
  const broken = await recoverLinks(startup);
  // Maps that are empty, as after an upgrade that changed them, have nothing to lose.
  if (snapshot && datapath.tables.networks.size === 0) reconciler.kickOpen();

  host.link.start();
  void admission.start();
  const listed = followCluster(startup, reconciler);
  const context: AgentContext = { ...parts, ready: () => inTime(listed, health) };
  const gate = new Gate();
  const departure = new Departure({ ...parts, ...host, gate, releasers });
  const requests = {
    ...clusterRequests(context),
    ...endpointRequests(context),
    ...nodeRequests(context),
    ...trustRequests(context),
  };
  const backend = { ...guarded(requests, gate), ...leaveRequests(departure) };
  if (docker !== undefined) {
    const { serveDocker } = await import('../docker/service.js'); // most hosts do without
    const create = (input: NetworkInput) => createNetworkHere(context, input);
    const service = await serveDocker(context, {
      ...{ socket: docker.plugin, engine: docker.engine, state: host.paths.state, create },
    });
    releasers.push('docker', () => service.close());
  }
  const server = await serve(host.paths.socket, log, (fastify) => addRoutes(fastify, backend), socketGroup);
  releasers.push('api', () => server.close());

  const hostWatch = new HostWatch({
    datapath,
    log,
    notices,
    onUnderlayChange: () => reconciler.kickCompare(),
  });
  releasers.push('network monitor', () => hostWatch.close());
  const namespaces = watchNamespaces(locals, endpoints, log);
  releasers.push('namespaces', () => namespaces.close());
  releasers.push('membership', () => membership.close());
  await membership.start();
  health.onRecovered(() => void endpoints.retryPending());
  for (const entry of broken) endpoints.undoSoon(entry);
  return departure;
}

/** Resolves when the maps follow the cluster's state. */
async function followCluster(startup: StartupParts, reconciler: Reconciler): Promise<void> {
  if (!(await startup.watch.start())) return;
  await reconciler.open().catch(() => undefined); // told in the log and the status, and tried again
  await removeStrayRecords(startup).catch((error) => {
    startup.log.warn({ err: error }, 'could not look for records without an endpoint');
  });
}

/** Waits for it as long as for any answer of etcd. */
async function inTime(listed: Promise<void>, health: StoreHealth): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const reason = () => health.error ?? 'read the state of the cluster: etcd has not answered yet';
    timer = setTimeout(() => reject(new StoreUnavailable(reason())), storeTimeoutMs);
  });
  await Promise.race([listed, late]).finally(() => clearTimeout(timer));
}

function watchNamespaces(locals: Locals, endpoints: Endpoints, log: Logger): NamespaceWatch {
  return new NamespaceWatch({
    watched: () => locals.values().map(({ entry }) => entry),
    hasLink: (id) => hasLink(locals.get(id)),
    onGone: async (id, reason) => {
      log.info({ endpoint: id, reason }, 'detaching an endpoint by itself');
      await endpoints.detach(id);
    },
    log,
  });
}

/** True for one that was detached since. */
function hasLink(local: Local | undefined): boolean {
  if (local === undefined) return true;
  try {
    return interfaceIndex(local.entry.hostIfname) === local.attachment.ifindex;
  } catch {
    return false;
  }
}

function isLocal(entry: JournalEntry | undefined): boolean {
  return entry !== undefined && entry.phase !== 'detaching';
}

/** An attach that is not at its end yet may be refused because somebody removed the network. */
function isAttachedTo(network: string, entry: JournalEntry): boolean {
  return entry.network === network && entry.phase === 'attached';
}

function admissionOf(
  { self, journal }: Host,
  snapshot: Snapshot | undefined,
  store: Store,
  health: StoreHealth,
): Admission {
  return new Admission({
    store,
    node: self.id,
    endpoints: () => journal.values().filter(({ phase }) => phase === 'attached').length,
    known: snapshot && [...snapshot.nodes, ...snapshot.networks].map(({ id }) => id),
    onRefused: (error) => health.lost(error),
  });
}

function snapshotPath({ state }: Paths): string {
  return join(state, 'snapshot.json');
}
