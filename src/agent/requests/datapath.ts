/* Requests about this node: status, maps, drops. */
import { release } from 'node:os';
import type { StatusAnswer } from '../../model/api.js';
import type { AgentContext } from '../context.js';
import type { Backend } from '../server/routes.js';
import { verifyNode } from './verify.js';

/** More are one cause, told often enough. */
const mostWarnings = 20;

type NodeRequests = Pick<Backend, 'status' | 'maps' | 'dumpMap' | 'drops' | 'followDrops' | 'verify'>;

export function nodeRequests(context: AgentContext): NodeRequests {
  const { datapath, dropFeed } = context;
  return {
    status: async () => status(context),
    maps: () => datapath.maps(),
    dumpMap: (name, filter) => ({ name, rows: datapath.dump(name, filter) }),
    drops: () => datapath.drops(),
    followDrops: (onDrop) => dropFeed.follow(onDrop),
    verify: () => verifyNode(context),
  };
}

function status(context: AgentContext): StatusAnswer {
  const { self, datapath, view, desired, locals, endpoints, reconciler } = context;
  const { device, mtu } = datapath.underlay;
  const ready = [...view.nodes.keys()].filter((id) => view.alive.has(id)).length;
  return {
    node: { id: self.id, name: self.name, vtep: self.vtep },
    version: self.version,
    pid: process.pid,
    uptimeSeconds: Math.floor((Date.now() - self.startedAt.getTime()) / 1000),
    kernel: release(),
    root: self.root ?? null,
    features: datapath.features,
    links: context.links,
    underlay: { device, mtu, port: self.port },
    xdp: datapath.xdp.state,
    etcd: etcdStatus(context),
    nodes: { ready, down: view.nodes.size - ready },
    networks: { total: view.networks.size, live: desired.liveNetworks().size },
    endpoints: { local: locals.size, known: view.endpoints.size },
    maps: datapath.maps(),
    drops: datapath.drops().drops.reduce((sum, { packets }) => sum + packets, 0),
    pending: { rows: reconciler.marked ? 1 : 0, writes: endpoints.pending.length },
    memory: { residentBytes: process.memoryUsage.rss() },
    warnings: warnings(context),
  };
}

function etcdStatus({ link, health, watch }: AgentContext): StatusAnswer['etcd'] {
  return {
    state: health.state,
    endpoints: [...link.endpoints()],
    lastContact: health.lastContact?.toISOString() ?? null,
    revision: watch.revision ?? null,
    error: health.error,
  };
}

function warnings({
  health,
  reconciler,
  endpoints,
  datapath,
  desired,
  sink,
  notices,
}: AgentContext): string[] {
  const found: string[] = [];
  if (health.state === 'unreachable') {
    const reason = health.error ?? 'no answer yet';
    found.push(`etcd is not followed, traffic goes on as it was: ${reason}`);
  }
  if (!reconciler.isOpen) found.push('the maps are as the last agent left them: etcd has not been read yet');
  if (reconciler.failure) found.push(`the maps are not up to date: ${reconciler.failure.message}`);
  found.push(...desired.faults());
  const writes = endpoints.pending.length;
  if (writes > 0) found.push(`${writes} detached endpoint(s) wait for etcd to give back their addresses`);
  const { innerMtu, device } = datapath.underlay;
  for (const { name, mtu } of sink.liveNetworks(desired.liveNetworks())) {
    if (mtu > innerMtu) found.push(`network ${name} has MTU ${mtu}, but ${device} carries ${innerMtu}`);
  }
  found.push(...xdpWarnings(datapath.xdp.state), ...notices.values());
  const { length } = found;
  return length <= mostWarnings
    ? found
    : [...found.slice(0, mostWarnings), `${length - mostWarnings} more; see the log`];
}

/** What somebody asked for by name and does not have. */
function xdpWarnings({ option, mode, reason }: StatusAnswer['xdp']): string[] {
  if (mode !== null || option === 'auto' || option === 'off') return [];
  return [`XDP is not in use, bad VXLAN is dropped after GRO instead: ${reason}`];
}
