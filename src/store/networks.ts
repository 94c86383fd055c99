/** Networks: creating them so that no two share a name, a VNI or an address, and removing empty ones. */

import { DEFAULT_POOLS, type Existing, planNetwork, type SubnetPools } from '../ipam/networkPlan.js';
import { overlaps, parseCidr } from '../model/addresses.js';
import {
  NameTaken,
  NetworkInUse,
  NotFound,
  StoreConflict,
  SubnetOverlap,
  VniTaken,
} from '../model/errors.js';
import type { NetworkHost, NetworkInput } from '../model/inputs.js';
import { type Network, randomId } from '../model/records.js';
import { validateNetworkName } from '../model/validate.js';
import { getCluster } from './cluster.js';
import {
  addressesOf,
  endpointsOf,
  lastPart,
  macsOf,
  NETWORKS,
  NETWORKS_GENERATION,
  networkKey,
  networkNameKey,
  VNIS,
  vniKey,
} from './keys.js';
import { absent, noneBelow, present, put, remove, removeBelow, removeIf, unchanged } from './operations.js';
import { parseAll, parseEndpoint, parseNetwork } from './parse.js';
import type { Store } from './store.js';

const ATTEMPTS = 20;
const SHOWN_ENDPOINTS = 5;

export async function listNetworks(store: Store): Promise<Network[]> {
  const { entries } = await store.list(NETWORKS);
  return parseAll(entries, parseNetwork).records;
}

/**
 * Creates a network. The plan is made of a list and committed only if no other network was created since, so that
 * two nodes cannot choose overlapping subnets. Throws InvalidInput, NameTaken, VniTaken, SubnetOverlap,
 * PoolExhausted, VnisExhausted, StoreConflict. `id` is chosen by who must recognize the network even if the answer
 * gets lost.
 */
export async function createNetwork(
  store: Store,
  input: NetworkInput,
  host: NetworkHost,
  id = randomId(),
): Promise<Network> {
  const identity = { id, createdAt: new Date().toISOString() };
  const nameKey = networkNameKey(validateNetworkName(input.name));
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const generation = (await store.get(NETWORKS_GENERATION))?.modRevision ?? '0';
    const existing = await readExisting(store);
    const own = existing.networks.find((network) => network.id === identity.id);
    if (own) return own; // the last attempt was done although its answer got lost
    const holder = await holderOf(store, nameKey);
    if (holder !== undefined) throw new NameTaken('network', input.name, `network ${holder}`);
    const network = planNetwork(input, host, existing, identity);
    if (await commit(store, network, generation)) return network;
  }
  throw new StoreConflict(`create network ${input.name}: others create networks all the time`);
}

/**
 * Id of the network that holds the name or VNI. A key whose network does not exist is given back: a network and its
 * keys come and go in one transaction, so other hands have left it.
 */
async function holderOf(store: Store, key: string): Promise<string | undefined> {
  const entry = await store.get(key);
  if (entry === undefined || (await store.get(networkKey(entry.value)))) return entry?.value;
  await store.txn([absent(networkKey(entry.value))], [removeIf(unchanged(key, entry.modRevision), key)]);
  return undefined;
}

async function readExisting(store: Store): Promise<Existing & { networks: Network[] }> {
  const networks = await listNetworks(store);
  const names = new Map(networks.map((network) => [network.id, network.name]));
  const { entries } = await store.list(VNIS);
  const vnis = new Map(entries.map(({ key, value }) => [Number(lastPart(key)), names.get(value) ?? value]));
  return { networks, vnis, pools: await poolsOf(store) };
}

/** As `plait init` was told; undefined where nobody chose. */
async function poolsOf(store: Store): Promise<SubnetPools | undefined> {
  const cluster = await getCluster(store);
  const pools = cluster?.defaultAddressPools ?? [];
  return (
    cluster && {
      pools: pools.length > 0 ? pools : DEFAULT_POOLS.pools,
      prefix: cluster.defaultAddressPoolMaskLength,
    }
  );
}

async function commit(store: Store, network: Network, generation: string): Promise<boolean> {
  const { id, name, vni } = network;
  const { succeeded } = await store.txn(
    [unchanged(NETWORKS_GENERATION, generation), absent(networkNameKey(name)), absent(vniKey(vni))],
    [
      put(NETWORKS_GENERATION, id),
      put(networkKey(id), JSON.stringify(network)),
      put(networkNameKey(name), id),
      put(vniKey(vni), id),
    ],
  );
  return succeeded;
}

/**
 * Writes a network that etcd has lost again, as it was; false if it is there. Whether another one has taken its
 * addresses meanwhile is looked at as in a creation. Throws NameTaken, VniTaken, SubnetOverlap, StoreConflict.
 */
export async function restoreNetwork(store: Store, network: Network): Promise<boolean> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (await store.get(networkKey(network.id))) return false;
    const generation = (await store.get(NETWORKS_GENERATION))?.modRevision ?? '0';
    const others = (await listNetworks(store)).filter(({ id }) => id !== network.id);
    checkSubnets(network, others);
    await checkKeys(store, network);
    if (await commit(store, network, generation)) return true;
  }
  throw new StoreConflict(`write network ${network.name} again: others create networks all the time`);
}

/** Throws NameTaken or VniTaken. What the network itself has, somebody else has just restored. */
async function checkKeys(store: Store, { id, name, vni }: Network): Promise<void> {
  const ofName = await holderOf(store, networkNameKey(name));
  if (ofName !== undefined && ofName !== id) throw new NameTaken('network', name, `network ${ofName}`);
  const ofVni = await holderOf(store, vniKey(vni));
  if (ofVni !== undefined && ofVni !== id) throw new VniTaken(vni, ofVni);
}

/** Throws SubnetOverlap. */
function checkSubnets(network: Network, others: readonly Network[]): void {
  for (const { subnet } of network.subnets) {
    const hit = others.find((other) =>
      other.subnets.some((theirs) => overlaps(parseCidr(theirs.subnet), parseCidr(subnet))),
    );
    if (hit) throw new SubnetOverlap(subnet, `network ${hit.name}`);
  }
}

/** Removes a network that has no endpoints. Throws NetworkInUse, NotFound. */
export async function removeNetwork(store: Store, network: Network): Promise<void> {
  const { id, name, vni } = network;
  if ((await store.get(networkKey(id))) === undefined) throw new NotFound('network', name);
  const { succeeded } = await store.txn(
    [present(networkKey(id)), noneBelow(endpointsOf(id))],
    [
      remove(networkKey(id)),
      remove(networkNameKey(name)),
      remove(vniKey(vni)),
      removeBelow(addressesOf(id)),
      removeBelow(macsOf(id)),
    ],
  );
  if (succeeded) return;
  const { entries } = await store.list(endpointsOf(id));
  if (entries.length === 0) return; // gone since: by another, or by this transaction, whose first answer got lost
  const names = parseAll(entries, parseEndpoint).records.map((endpoint) => endpoint.name);
  throw new NetworkInUse(name, names.sort().slice(0, SHOWN_ENDPOINTS), entries.length);
}
