/*
 * What an agent does with the traces of the one before: first with the journal and the links, which are here; then,
 * when etcd has been read, with the records of this node in it.
 */
import type { Logger } from 'pino';
import type { Datapath } from '../datapath/datapath.js';
import type { ClusterView } from '../model/view.js';
import { deleteVeth, listVeths } from '../net/veth.js';
import { listEndpoints } from '../store/endpoints.js';
import type { ClusterAccess } from '../store/writes.js';
import type { ClusterWatch } from './cluster-watch.js';
import type { Endpoints } from './endpoints.js';
import type { Journal, JournalEntry } from './journal.js';
import type { Locals } from './locals.js';
import { decideRecovery } from './recovery.js';
import type { Snapshot } from './snapshot.js';

export interface StartupParts extends ClusterAccess {
  readonly node: string;
  readonly journal: Journal;
  readonly endpoints: Endpoints;
  readonly locals: Locals;
  readonly datapath: Datapath;
  readonly view: ClusterView;
  readonly watch: ClusterWatch;
  readonly log: Logger;
}

/** Adopts what is complete; returns the entries whose traces have to go, which may take etcd. */
export async function recoverLinks(parts: StartupParts): Promise<JournalEntry[]> {
  const { journal, endpoints, locals, datapath, view, watch, log } = parts;
  const links = new Map((await listVeths()).map(({ ifname, ifindex }) => [ifname, ifindex]));
  const broken: JournalEntry[] = [];
  for (const entry of journal.values()) {
    const ifindex = links.get(entry.hostIfname);
    links.delete(entry.hostIfname);
    const isWhole = decideRecovery({ journal: entry.phase, link: ifindex !== undefined }) === 'adopt';
    if (isWhole && ifindex !== undefined && entry.endpoint !== undefined) {
      await endpoints.adopt(entry, entry.endpoint, ifindex);
    } else broken.push(entry);
  }
  for (const ifname of links.keys()) await removeStray(datapath, ifname, log);
  const known = new Set(locals.values().map(({ entry }) => entry.hostIfname));
  for (const { ifname } of datapath.links.list()) if (!known.has(ifname)) datapath.links.detach(ifname);
  for (const { network } of broken) if (!watch.holds(network)) view.replaceEndpoints(network, []);
  if (locals.size > 0) log.info({ endpoints: locals.size }, 'adopted the endpoints of an earlier agent');
  return broken;
}

async function removeStray(datapath: Datapath, ifname: string, log: Logger): Promise<void> {
  datapath.links.detach(ifname);
  await deleteVeth(ifname);
  log.warn({ ifname }, 'removed an interface that no endpoint owns');
}

/**
 * Fills the view with what the last agent knew, so that names and the API are answered before etcd is, and whether it
 * is. Nodes count as alive: nothing is known against them. Endpoints are taken for networks of the journal only.
 */
export function loadView(
  { view, journal, node }: Pick<StartupParts, 'view' | 'journal' | 'node'>,
  snapshot: Snapshot,
): void {
  for (const record of snapshot.nodes) if (record.id !== node) view.putNode(record);
  for (const { id } of snapshot.nodes) view.putAlive(id);
  for (const network of snapshot.networks) view.putNetwork(network);
  const wanted = new Set(journal.values().map(({ network }) => network));
  for (const endpoint of snapshot.endpoints) if (wanted.has(endpoint.network)) view.putEndpoint(endpoint);
}

/** Removes the records of this node that no journal entry knows: whoever wrote them never got to tell anybody. */
export async function removeStrayRecords({ node, store, writes, journal, log }: StartupParts): Promise<void> {
  for (const endpoint of await listEndpoints(store)) {
    if (endpoint.node !== node || journal.get(endpoint.id) !== undefined) continue;
    await writes.removeEndpoints([endpoint]);
    log.warn(
      { endpoint: endpoint.id, name: endpoint.name },
      'removed the record of an endpoint that is not attached',
    );
  }
}
