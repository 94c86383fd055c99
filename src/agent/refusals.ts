/*
 * What is known to be somebody else's is refused before rows for it are written here, if only for the moment until etcd
 * refuses it. Pure.
 */
import { canonicalIp } from '../model/addresses.js';
import { AddressTaken, MacTaken, VniTaken } from '../model/errors.js';
import { vniOwner } from '../model/fit.js';
import type { EndpointInput } from '../model/inputs.js';
import type { Network } from '../model/records.js';
import type { ClusterView } from '../model/view.js';

/** Throws VniTaken: a second network of one VNI, which somebody wrote by hand, would speak into the first. */
export function refuseRival(view: ClusterView, network: Network): void {
  const owner = vniOwner(network, view.networksOfVni(network.vni));
  if (owner) throw new VniTaken(network.vni, owner.name);
}

/** Throws AddressTaken or MacTaken. */
export function refuseTaken(
  view: ClusterView,
  { addresses = [], mac }: Pick<EndpointInput, 'addresses' | 'mac'>,
  network: Network,
): void {
  for (const address of addresses) {
    const holder = view.endpointAt(network.id, canonicalIp(address));
    if (holder) throw new AddressTaken(address, network.name, `endpoint ${holder.name}`);
  }
  if (mac === undefined) return;
  const holder = view.endpointsOfNetwork(network.id).find((other) => other.mac === mac.toLowerCase());
  if (holder) throw new MacTaken(mac, network.name, `endpoint ${holder.name}`);
}
