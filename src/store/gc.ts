/**
 * Gives back addresses and MACs whose endpoint does not exist. Our own transactions leave none; a person with
 * etcdctl or a restored backup may.
 *
 * Holders are listed before endpoints. An endpoint is created together with what it holds, so a holder seen in
 * the first list and missing in the second one was deleted; if its address has a new holder by then, the key has
 * another revision and stays.
 */
import { addressesOf, ENDPOINTS, endpointsOf, IPAM, lastPart, MACS, macsOf } from './keys.js';
import { MAX_TXN_OPS, removeIf, unchanged } from './operations.js';
import type { Entry, Store } from './store.js';

export interface Orphans {
  readonly addresses: readonly string[];
  readonly macs: readonly string[];
}

/** In one network, or in all. Returns the keys' last parts that were given back. */
export async function collectOrphans(store: Store, network?: string): Promise<Orphans> {
  const addresses = await store.list(network === undefined ? IPAM : addressesOf(network));
  const macs = await store.list(network === undefined ? MACS : macsOf(network));
  const endpoints = await store.list(network === undefined ? ENDPOINTS : endpointsOf(network), {
    keysOnly: true,
  });
  const living = new Set(endpoints.entries.map((entry) => lastPart(entry.key)));
  const isOrphan = (entry: Entry): boolean => !living.has(entry.value);
  return {
    addresses: await giveBack(store, addresses.entries.filter(isOrphan)),
    macs: await giveBack(store, macs.entries.filter(isOrphan)),
  };
}

async function giveBack(store: Store, entries: readonly Entry[]): Promise<string[]> {
  const given: string[] = [];
  for (let at = 0; at < entries.length; at += MAX_TXN_OPS) {
    const batch = entries.slice(at, at + MAX_TXN_OPS);
    const { responses } = await store.txn(
      [],
      batch.map(({ key, modRevision }) => removeIf(unchanged(key, modRevision), key)),
    );
    batch.forEach(({ key }, index) => {
      if (responses[index]?.response_txn.succeeded) given.push(lastPart(key));
    });
  }
  return given;
}
