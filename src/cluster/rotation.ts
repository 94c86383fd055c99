/*
 * A new certificate authority under a running cluster. Both are trusted from the moment it is made; the new one's certificate,
 * signed by the old one, is in every chain, so that who has not heard of it believes it. Every node is told to renew, and
 * says when it has; then the old one is dropped, and all are told once more, to forget it.
 */
import { NotFound, PlaitError, StoreConflict } from '../model/errors.js';
import { randomId } from '../model/records.js';
import {
  changeAuthority,
  changeSpec,
  getAuthority,
  getCluster,
  listSpecs,
  putToken,
} from '../store/cluster.js';
import type { Store } from '../store/store.js';
import { createAuthority, crossSign } from './pki/authority.js';
import { ROLES } from './pki/records.js';
import { newTokenRecord } from './pki/token.js';

/** Throws RotationUnderWay. Join tokens are of the CA, and so are new. */
export async function beginRotation(store: Store): Promise<void> {
  const [before, cluster] = await Promise.all([getAuthority(store), getCluster(store)]);
  if (cluster === undefined) throw new NotFound('cluster', 'in etcd');
  if (before.previous !== undefined) {
    const waiting = await unrenewed(store);
    throw new PlaitError(
      'ROTATION_UNDER_WAY',
      `make new CA: the last one is not everywhere yet: ${waiting.join(', ')}`,
      {
        hint: 'bring these nodes up, or `plait node rm --force` those that are lost',
      },
    );
  }
  const next = await createAuthority({ cluster: cluster.id });
  const cross = await crossSign(before, next);
  await changeAuthority(store, (present) => {
    if (present.certificate !== before.certificate)
      throw new StoreConflict('make new CA: somebody else does');
    const { certificate, key } = before;
    return { certificate: next.certificate, key: next.key, cross, previous: { certificate, key } };
  });
  for (const role of ROLES) await putToken(store, role, newTokenRecord(next, role));
  await tellAll(store);
}

/** Drops the old CA when every node has a certificate of the new one. Any manager may do it, at any time. */
export async function endRotation(store: Store): Promise<void> {
  const before = await getAuthority(store);
  if (before.previous === undefined || (await unrenewed(store)).length > 0) return;
  await changeAuthority(store, (present) =>
    present.certificate === before.certificate && present.previous !== undefined
      ? { certificate: present.certificate, key: present.key }
      : undefined,
  );
  await tellAll(store);
}

/** Names of nodes that have no certificate of the new CA yet. */
async function unrenewed(store: Store): Promise<string[]> {
  const specs = [...(await listSpecs(store)).values()];
  return specs
    .filter(({ renew, renewed }) => renew === undefined || renew !== renewed)
    .map(({ name }) => name);
}

async function tellAll(store: Store): Promise<void> {
  const renew = randomId();
  for (const node of (await listSpecs(store)).keys()) {
    await changeSpec(store, node, (spec) => ({ ...spec, renew })).catch((error) => {
      if (!(error instanceof NotFound)) throw error; // it has left meanwhile
    });
  }
}
