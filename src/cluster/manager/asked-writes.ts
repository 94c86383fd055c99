/*
 * What a node may have written, and that it is done. Managers write by themselves; a worker writes about itself, and makes
 * and removes networks as any user of its host may.
 */
import { InvalidInput, NotFound } from '../../model/errors.js';
import type { NetworkInput } from '../../model/inputs.js';
import type { Endpoint } from '../../model/records.js';
import { networkKey } from '../../store/keys.js';
import { parseNetwork } from '../../store/parse.js';
import type { Store } from '../../store/store.js';
import type { DirectWrites } from '../../store/writes.js';
import { type WriteName, writeSchemas } from './contract.js';
import type { EndpointOwners } from './endpoint-owners.js';
import { NotPermitted, type Peer } from './peers.js';

export interface AskedWritesOptions {
  readonly store: Store;
  readonly writes: DirectWrites;
  readonly owners: EndpointOwners;
}

type Answer = (peer: Peer, body: unknown) => Promise<unknown>;

/** Each throws NotPermitted, InvalidInput, and what the write itself throws. */
export function askedWrites({ store, writes, owners }: AskedWritesOptions): Record<WriteName, Answer> {
  return {
    'place-endpoints': async (peer, body) => {
      const [endpoints] = read('place-endpoints', body);
      for (const endpoint of endpoints) checkOwn(peer, endpoint);
      if (endpoints.some(({ network }) => network !== endpoints[0]?.network)) {
        throw new InvalidInput('write endpoints: they are of several networks');
      }
      if (peer.role === 'worker') checkIds(endpoints, await owners.known());
      return writes.placeEndpoints(endpoints);
    },
    'describe-endpoint': async (peer, body) => {
      const [place, description] = read('describe-endpoint', body);
      checkOwn(peer, place);
      return writes.describeEndpoint(place, description);
    },
    'remove-endpoints': async (peer, body) => {
      const [holdings] = read('remove-endpoints', body);
      for (const holding of holdings) checkOwn(peer, holding);
      await writes.removeEndpoints(holdings);
    },
    'collect-orphans': async (_peer, body) => writes.collectOrphans(...read('collect-orphans', body)),
    'create-network': async (_peer, body) => {
      const [input, host, id] = read('create-network', body);
      return writes.createNetwork(input as NetworkInput, host, id);
    },
    'remove-network': async (_peer, body) => {
      const [{ id, name }] = read('remove-network', body);
      // Its name and its VNI are what etcd says, not what the node says.
      const entry = await store.get(networkKey(id));
      if (entry === undefined) throw new NotFound('network', name);
      await writes.removeNetwork(parseNetwork(entry));
    },
    'restore-network': async (peer, body) => {
      const [network, endpoint] = read('restore-network', body);
      checkOwn(peer, endpoint);
      if (endpoint.network !== network.id)
        throw new InvalidInput('write network again: the endpoint is not on it');
      return writes.restoreNetwork(network);
    },
    'claim-node-name': async (peer, body) => {
      const [node] = read('claim-node-name', body);
      checkSelf(peer, node.id, 'claim node name');
      await writes.claimNodeName(node);
    },
    'remove-node': async (peer, body) => {
      const [node] = read('remove-node', body);
      checkSelf(peer, node.id, 'remove node');
      await writes.removeNode(node);
    },
  };
}

function read<N extends WriteName>(name: N, body: unknown): ReturnType<(typeof writeSchemas)[N]['parse']> {
  const parsed = writeSchemas[name].safeParse(body);
  if (parsed.success) return parsed.data as ReturnType<(typeof writeSchemas)[N]['parse']>;
  const [issue] = parsed.error.issues;
  throw new InvalidInput(`${name}: ${issue?.path.join('.')}: ${issue?.message}`);
}

function checkOwn({ node, role }: Peer, endpoint: Pick<Endpoint, 'id' | 'node'>): void {
  if (role === 'manager' || endpoint.node === node) return;
  throw new NotPermitted(
    `write endpoint ${endpoint.id}`,
    `node ${node} is a worker, and it is of ${endpoint.node}`,
  );
}

function checkSelf({ node, role }: Peer, asked: string, doing: string): void {
  if (role === 'manager' || asked === node) return;
  throw new NotPermitted(`${doing} ${asked}`, `node ${node} is a worker and may do so for itself only`);
}

/** Others know an endpoint by its id: another node's would be replaced in their eyes. */
function checkIds(endpoints: readonly Endpoint[], owners: ReadonlyMap<string, string>): void {
  for (const { id, node } of endpoints) {
    const owner = owners.get(id);
    if (owner === undefined || owner === node) continue;
    throw new NotPermitted(`write endpoint ${id}`, `node ${owner} has one of that id`);
  }
}
