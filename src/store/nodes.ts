/** Nodes: their records, and the sign of life under a lease. */
import { NameTaken, StoreConflict, VtepTaken } from '../model/errors.js';
import type { Node } from '../model/records.js';
import { deleteEndpoints } from './bulk.js';
import { ALIVE, aliveKey, ENDPOINTS, lastPart, NODES, nodeKey, nodeNameKey } from './keys.js';
import { holds, put, remove, removeIf, unchanged } from './operations.js';
import { parseAll, parseEndpoint, parseNode } from './parse.js';
import type { Store } from './store.js';

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
 * Writes the node's record, new or changed: what is there already is no news for all other nodes. Names and VTEP addresses are unique. A silent node that has the same
 * address is this host before it was installed again: it is removed with its endpoints.
 * Throws NameTaken, VtepTaken.
 */
export async function registerNode(store: Store, node: Node): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    await makePlace(store, node);
    const name = await store.get(nodeNameKey(node.name));
    if (name && name.value !== node.id && (await store.get(nodeKey(name.value)))) {
      throw new NameTaken('node', node.name, `node ${name.value}`);
    }
    const record = JSON.stringify(node);
    if (name?.value === node.id && (await store.get(nodeKey(node.id)))?.value === record) return;
    const { succeeded } = await store.txn(
      [unchanged(nodeNameKey(node.name), name?.modRevision ?? '0')],
      [put(nodeKey(node.id), record), put(nodeNameKey(node.name), node.id)],
    );
    if (succeeded) return;
  }
  throw new StoreConflict(`register node ${node.name}: its name is changing hands`);
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
    if (other.vtep === node.vtep) await removeNode(store, other);
    else if (other.name === node.name) throw new NameTaken('node', node.name, `the node at ${other.vtep}`);
  }
}

async function releaseName(store: Store, node: Node): Promise<void> {
  const key = nodeNameKey(node.name);
  await store.txn([holds(key, node.id)], [remove(key)]);
}

/** Removes this node with its sign of life: it leaves the cluster. */
export async function forgetNode(store: Store, node: Node): Promise<void> {
  await removeNode(store, node);
  await store.txn([], [remove(aliveKey(node.id))]);
}

/** Removes a node and gives back all that its endpoints held. */
export async function removeNode(store: Store, node: Node): Promise<void> {
  const { entries } = await store.list(ENDPOINTS);
  const own = parseAll(
    entries.filter((entry) => entry.key.includes(`/${node.id}/`)),
    parseEndpoint,
  ).records;
  await deleteEndpoints(store, own);
  const name = nodeNameKey(node.name);
  await store.txn([], [remove(nodeKey(node.id)), removeIf(holds(name, node.id), name)]);
}
