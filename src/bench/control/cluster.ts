/* What is in etcd before the agents start: networks, and the endpoints that agents have from the beginning. */
import type { EndpointInput } from '../../model/inputs.js';
import { type Network, type Node, randomId } from '../../model/records.js';
import { createEndpoints } from '../../store/bulk.js';
import { nodeKey, nodeNameKey } from '../../store/keys.js';
import { createNetwork } from '../../store/networks.js';
import { MAX_TXN_OPS, put } from '../../store/operations.js';
import type { Store } from '../../store/store.js';
import { direct } from '../../store/writes.js';
import {
  type ControlOptions,
  type PlannedAgent,
  planAgents,
  type Seat,
  seats,
  standingMac,
  subnetOf,
} from './plan.js';

export interface Cluster {
  readonly agents: readonly PlannedAgent[];
  readonly nodes: readonly Node[];
  readonly networks: readonly Network[];
  /** Endpoints that come and go, as they are at the start. */
  readonly present: readonly { seat: Seat; id: string }[];
  readonly seats: Iterator<Seat>;
}

/** As etcd holds it before the first agent starts. */
export async function makeCluster(store: Store, options: ControlOptions): Promise<Cluster> {
  const agents = planAgents(options);
  const createdAt = new Date().toISOString();
  const common = { version: 'bench', labels: {}, createdAt };
  const nodes = agents.map(({ name, vtep }): Node => ({ id: randomId(), name, vtep, ...common }));
  await writeNodes(store, nodes);
  const networks: Network[] = [];
  for (let at = 0; at < options.networks; at++) {
    const input = { name: `net${at}`, subnets: [subnetOf(at)] };
    networks.push(await createNetwork(store, input, { routes: [], mtu: 1450 }));
  }
  const standing = agents.flatMap(({ index, networks: own }) =>
    own.map((network): Seat => ({ agent: index, network })),
  );
  const seating = seats(agents);
  const churning = Array.from({ length: options.endpoints }, () => seating.next().value);
  const ids = new Map<Seat, string>();
  for (const [at, network] of networks.entries()) {
    const here = [...standing, ...churning].filter((seat) => seat.network === at);
    const inputs = here.map((seat): EndpointInput => {
      const number = ids.size;
      ids.set(seat, randomId());
      const node = nodes[seat.agent]?.id ?? '';
      return { id: ids.get(seat) ?? '', name: `s${number}`, node, mac: standingMac(number) };
    });
    await createEndpoints(direct(store), network, inputs);
  }
  const present = churning.map((seat) => ({ seat, id: ids.get(seat) ?? '' }));
  return { agents, nodes, networks, present, seats: seating };
}

/** As after an upgrade of all agents: they are known, and only their signs of life are missing. */
async function writeNodes(store: Store, nodes: readonly Node[]): Promise<void> {
  const writes = nodes.map((node) => [
    put(nodeKey(node.id), JSON.stringify(node)),
    put(nodeNameKey(node.name), node.id),
  ]);
  const batch = MAX_TXN_OPS / 2;
  for (let at = 0; at < writes.length; at += batch) {
    await store.txn([], writes.slice(at, at + batch).flat());
  }
}
