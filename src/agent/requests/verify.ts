/*
 * Compares this node with a fresh list from etcd, not with what the agent believes. A change on its way from etcd to
 * the maps looks like a difference, so what is found is looked at again before it is told.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { DifferenceAnswer, VerifyAnswer } from '../../model/api.js';
import { DesiredRows } from '../../model/desired.js';
import { StoreUnavailable } from '../../model/errors.js';
import { ClusterView } from '../../model/view.js';
import { listEndpoints } from '../../store/endpoints.js';
import { listNetworks } from '../../store/networks.js';
import { listNodes } from '../../store/nodes.js';
import type { AgentContext } from '../context.js';
import { DatapathSink } from '../datapath-sink.js';

const attempts = 3;
const settleMs = 200;

export async function verifyNode(context: AgentContext): Promise<VerifyAnswer> {
  for (let attempt = 1; ; attempt++) {
    const answer = await verifyOnce(context);
    if (answer.differences.length === 0 || attempt === attempts) return answer;
    await sleep(settleMs);
  }
}

async function verifyOnce(context: AgentContext): Promise<VerifyAnswer> {
  const { reconciler, watch, datapath, locals, self } = context;
  await reconciler.flush().catch(() => undefined);
  const fresh = await freshView(context).catch((error) => {
    if (error instanceof StoreUnavailable) return error;
    throw error;
  });
  const isFresh = !(fresh instanceof StoreUnavailable);
  const view = isFresh ? fresh : context.view;
  const desired = desiredFrom(context, view);
  const sink = new DatapathSink(datapath, view, self.id);
  const { checked, differences } = await datapath.verify({
    ...desired.all(),
    vteps: sink.vteps(desired.vteps().keys()),
    links: locals.values().map(({ entry, attachment }) => ({
      ifname: entry.hostIfname,
      ifindex: attachment.ifindex,
    })),
    gateways: sink.liveNetworks(desired.liveNetworks()),
  });
  return {
    source: isFresh ? 'etcd' : 'snapshot',
    revision: watch.revision ?? '0',
    checked,
    differences: isFresh ? [...differences, ...recordDifferences(context, fresh)] : differences,
    warnings: isFresh ? [] : [`compared with the last known state: ${fresh.message}`],
  };
}

async function freshView({ store }: AgentContext): Promise<ClusterView> {
  const view = new ClusterView();
  const [nodes, networks, endpoints] = await Promise.all([
    listNodes(store),
    listNetworks(store),
    listEndpoints(store),
  ]);
  for (const node of nodes) view.putNode(node);
  for (const network of networks) view.putNetwork(network);
  for (const endpoint of endpoints) view.putEndpoint(endpoint);
  return view;
}

/** Every row that the view asks for, given what is attached here. */
function desiredFrom({ self, datapath, locals }: AgentContext, view: ClusterView): DesiredRows {
  const vtepIndex = (address: string): number =>
    datapath.vteps.has(address) ? datapath.vteps.index(address) : 0;
  const desired = new DesiredRows(view, { node: self.id, vtepIndex });
  for (const { entry, attachment } of locals.values()) desired.attach(entry.id, attachment);
  return desired;
}

/** What etcd and this node say of each other's endpoints. */
function recordDifferences({ self, locals }: AgentContext, view: ClusterView): DifferenceAnswer[] {
  const found: DifferenceAnswer[] = [];
  const recorded = view.endpointsOfNode(self.id);
  for (const { id, name } of recorded) {
    if (!locals.has(id)) found.push(record(id, 'missing', `endpoint ${name}, attached here`, null));
  }
  for (const { endpoint } of locals.values()) {
    if (view.endpoints.has(endpoint.id)) continue;
    found.push(record(endpoint.id, 'extra', null, `endpoint ${endpoint.name}, attached here`));
  }
  return found;
}

function record(
  key: string,
  problem: DifferenceAnswer['problem'],
  expected: string | null,
  actual: string | null,
): DifferenceAnswer {
  return { table: 'records', key, problem, expected, actual };
}
