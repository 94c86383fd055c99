/* Whether an etcd is that of this node's cluster, from what it has and what the node knew. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Admission, OtherCluster } from '../../src/agent/admission.js';
import { NETWORKS, NODES } from '../../src/store/keys.js';
import type { Store } from '../../src/store/store.js';

const admission = suite('admission');
const createdAt = '2026-11-22T14:00:00.000Z';
const [self, peer, stranger] = ['a'.repeat(25), 'b'.repeat(25), 'c'.repeat(25)];
const nodeOf = (id: string) => ({ id, name: id, vtep: '192.0.2.1', version: '1', labels: {}, createdAt });
const snapshot = [self, peer];

/** A store with these nodes and no network. */
function storeOf(nodes: readonly string[]): Store {
  const entries = nodes.map((id) => ({
    key: NODES + id,
    value: JSON.stringify(nodeOf(id)),
    modRevision: '1',
  }));
  const list = async (prefix: string) => {
    assert.ok(prefix === NODES || prefix === NETWORKS);
    return { entries: prefix === NODES ? entries : [], revision: '1' };
  };
  return { list, where: 'http://test' } as unknown as Store;
}

const cases: [string, string[], number, readonly string[] | undefined, boolean][] = [
  ['its own cluster', [self, peer, stranger], 1, snapshot, true],
  ['a cluster that lost this node and has another one', [peer], 1, snapshot, true],
  ['an empty etcd', [], 1, snapshot, true],
  ['strangers, with nothing attached', [stranger], 0, snapshot, true],
  ['strangers, with nothing known', [stranger], 1, undefined, true],
  ['strangers', [stranger], 1, snapshot, false],
];

for (const [what, nodes, endpoints, known, isOurs] of cases) {
  admission(`${what}: ${isOurs ? 'followed' : 'refused'}`, async () => {
    const options = { node: self, endpoints: () => endpoints, known, onRefused: () => undefined };
    const asked = new Admission({ ...options, store: storeOf(nodes) });
    const refusal = await asked.check().catch((error: unknown) => error);
    assert.is(refusal instanceof OtherCluster, !isOurs);
    asked.close();
    assert.is(await asked.admitted, isOurs);
  });
}

admission.run();
