/*
 * A manager that begins alone with what was agreed on before: from a backup, or after the others were lost for good. It is the
 * only manager then, whatever was said; the others' hosts join anew.
 */
import { changeSpec, createSpec, listSpecs } from '../store/cluster.js';
import type { Store } from '../store/store.js';
import type { Spec } from './records.js';

/** Can be repeated. */
export async function beginAlone(
  store: Store,
  node: string,
  { name, address }: Pick<Spec, 'name' | 'address'>,
): Promise<void> {
  const joinedAt = new Date().toISOString();
  await createSpec(store, node, {
    role: 'manager',
    availability: 'active',
    labels: {},
    name,
    address,
    joinedAt,
  });
  for (const [other, { role }] of await listSpecs(store)) {
    if (other === node || role === 'worker') continue;
    await changeSpec(store, other, ({ initialCluster: _, ...spec }) => ({ ...spec, role: 'worker' }));
  }
}
