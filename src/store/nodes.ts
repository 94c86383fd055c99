/** Nodes: their records, and the sign of life under a lease. */
import { NameTaken, PlaitError, StoreConflict, VtepTaken } from '../model/errors.js';
import type { Node } from '../model/records.js';
import { deleteEndpoints } from './bulk.js';
import { getSpec } from './cluster.js';
import { ALIVE, aliveKey, ENDPOINTS, lastPart, NODES, nodeKey, nodeNameKey, specKey } from './keys.js';
import { absent, holds, put, remove, removeIf, unchanged } from './operations.js';
import { parseAll, parseEndpoint, parseNode } from './parse.js';
import type { Store } from './store.js';
import type { ClusterAccess, NamedNode } from './writes.js';

const ATTEMPTS = 5;

export async function listNodes(store: Store): Promise<Node[]> {
  const { entries } = await store.list(NODES);
  return parseAll(entries, parseNode).records;
}

/** The record, if there is one that can be read. */
export async function getNode(store: Store, id: string): Promise<Node | undefined> {
  const entry = await store.get(nodeKey(id));
  return parseAll(entry === undefined ? [] : [entry], parseNode).records[0];
}

/** Ids of the nodes whose lease lives. */
export async function listAlive(store: Store): Promise<Set<string>> {
  const { entries } = await store.list(ALIVE, { keysOnly: true });
  return new Set(entries.map((entry) => lastPart(entry.key)));
}

/**
 * Writes the node's record, new or changed: what is there already is no news for all other nodes. Names and VTEP
 * addresses are unique: the record is only written while its name is the node's. Throws NameTaken, VtepTaken.
 */
export async function registerNode({ store, writes }: ClusterAccess, node: Node): Promise<void> {
  const record = JSON.stringify(node);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    await writes.claimNodeName(node);
    if ((await store.get(nodeKey(node.id)))?.value === record) return;
    const { succeeded } = await store.txn(
      [holds(nodeNameKey(node.name), node.id)],
      [put(nodeKey(node.id), record)],
    );
    if (succeeded) return;
  }
  throw new StoreConflict(`register node ${node.name}: its name is changing hands`);
}

/**
 * Makes the name the node's. A name whose holder has no record is nobody's: who has just claimed it finds that out when
 * it writes its record. A silent node that has the same address is this host before it was installed again: it is
 * removed with its endpoints. Throws NameTaken, VtepTaken, StoreConflict.
 */
export async function claimNodeName(store: Store, node: Node): Promise<void> {
  const key = nodeNameKey(node.name);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    await makePlace(store, node);
    const holder = await store.get(key);
    if (holder?.value === node.id) return;
    if (holder && (await store.get(nodeKey(holder.value)))) {
      throw new NameTaken('node', node.name, `node ${holder.value}`);
    }
    const { succeeded } = await store.txn(
      [unchanged(key, holder?.modRevision ?? '0'), ...(holder ? [absent(nodeKey(holder.value))] : [])],
      [put(key, node.id)],
    );
    if (succeeded) return;
  }
  throw new StoreConflict(`claim node name ${node.name}: it is changing hands`);
}

/** Removes what this node's record replaces, and refuses what it must not replace. */
async function makePlace(store: Store, node: Node): Promise<void> {
  const [nodes, alive] = await Promise.all([listNodes(store), listAlive(store)]);
  for (const other of nodes) {
    if (other.id === node.id) {
      if (other.name !== node.name) await releaseName(store, other);
      continue;
    }
    if (other.vtep === node.vtep && alive.has(other.id)) {
      throw new VtepTaken(node.vtep, `node ${other.name}`);
    }
    if (other.vtep === node.vtep) await replace(store, other);
    else if (other.name === node.name) throw new NameTaken('node', node.name, `the node at ${other.vtep}`);
  }
}

/** A manager is a member of etcd, too: that it is gone for good is for a person to say. */
async function replace(store: Store, silent: Node): Promise<void> {
  if ((await getSpec(store, silent.id))?.role === 'manager') {
    throw new PlaitError(
      'VTEP_TAKEN',
      `register node at ${silent.vtep}: manager ${silent.name}, which is down, has that address`,
      { hint: `\`plait node rm --force ${silent.name}\` on another manager, if this host replaces it` },
    );
  }
  await removeNode(store, silent);
}

async function releaseName(store: Store, node: Node): Promise<void> {
  const key = nodeNameKey(node.name);
  await store.txn([holds(key, node.id)], [remove(key)]);
}

/** Removes a node, its membership and its sign of life, and gives back all that its endpoints held. */
export async function removeNode(store: Store, node: NamedNode): Promise<void> {
  const { entries } = await store.list(ENDPOINTS);
  const own = parseAll(
    entries.filter((entry) => entry.key.includes(`/${node.id}/`)),
    parseEndpoint,
  ).records;
  await deleteEndpoints(store, own);
  const name = nodeNameKey(node.name);
  await store.txn(
    [],
    [
      remove(nodeKey(node.id)),
      remove(aliveKey(node.id)),
      remove(specKey(node.id)),
      removeIf(holds(name, node.id), name),
    ],
  );
}
