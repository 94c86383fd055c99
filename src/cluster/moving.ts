/* A member is at another address: what managers say of it changes, for all who look there for it. */
import { canonicalIp } from '../model/addresses.js';
import { PlaitError } from '../model/errors.js';
import { changeSpec, listSpecs } from '../store/cluster.js';
import type { Store } from '../store/store.js';

/** Throws ADDRESS_TAKEN, NotFound. Can be repeated. */
export async function moveSpec(store: Store, node: string, address: string): Promise<void> {
  const wanted = canonicalIp(address);
  for (const [other, spec] of await listSpecs(store)) {
    if (other === node || canonicalIp(spec.address) !== wanted) continue;
    throw new PlaitError('ADDRESS_TAKEN', `move node ${node} to ${wanted}: node ${spec.name} is there`, {
      hint: `use another --advertise-addr, or \`plait node rm\` that one if it is lost`,
    });
  }
  await changeSpec(store, node, (spec) =>
    spec.address === wanted ? undefined : { ...spec, address: wanted },
  );
}
