/**
 * Keys in etcd, all below one prefix. Nothing else in the project spells one.
 *
 *     nodes/<id>                       the node
 *     names/node/<name>                its id; taking a name is creating this key
 *     alive/<id>                       under the node's lease
 *     networks/<id>                    the network
 *     names/network/<name>             its id
 *     vni/<n>                          id of the network that holds the VNI
 *     networks-generation              written by every creation, so that two cannot choose overlapping subnets
 *     endpoints/<network>/<node>/<id>  the endpoint
 *     ipam/<network>/<address>         id of the endpoint that holds the address
 *     mac/<network>/<mac>              id of the endpoint that holds the MAC
 *     cluster                          what `plait init` decided for all nodes
 *     specs/<id>                       what managers say of a node; without it the node is no member
 *     secrets/ca                       the certificate authority, for managers alone, as all below secrets/
 *     secrets/etcd                     where etcd is, of a cluster whose managers do not run it
 *     secrets/tokens/<role>            what the join token of the role is compared with
 */
export const PREFIX = '/plait/';

export const NODES = `${PREFIX}nodes/`;
export const ALIVE = `${PREFIX}alive/`;
export const NETWORKS = `${PREFIX}networks/`;
export const VNIS = `${PREFIX}vni/`;
export const ENDPOINTS = `${PREFIX}endpoints/`;
export const IPAM = `${PREFIX}ipam/`;
export const MACS = `${PREFIX}mac/`;
export const NETWORKS_GENERATION = `${PREFIX}networks-generation`;
export const CLUSTER = `${PREFIX}cluster`;
export const SPECS = `${PREFIX}specs/`;
export const SECRETS = `${PREFIX}secrets/`;
export const AUTHORITY = `${SECRETS}ca`;
export const EXTERNAL_ETCD = `${SECRETS}etcd`;

export function nodeKey(id: string): string {
  return NODES + id;
}

export function nodeNameKey(name: string): string {
  return `${PREFIX}names/node/${name}`;
}

export function specKey(node: string): string {
  return SPECS + node;
}

export function tokenKey(role: string): string {
  return `${SECRETS}tokens/${role}`;
}

export function aliveKey(node: string): string {
  return ALIVE + node;
}

export function networkKey(id: string): string {
  return NETWORKS + id;
}

export function networkNameKey(name: string): string {
  return `${PREFIX}names/network/${name}`;
}

export function vniKey(vni: number): string {
  return VNIS + vni;
}

export function endpointsOf(network: string): string {
  return `${ENDPOINTS}${network}/`;
}

export function endpointKey(endpoint: { network: string; node: string; id: string }): string {
  return `${endpointsOf(endpoint.network)}${endpoint.node}/${endpoint.id}`;
}

export function addressesOf(network: string): string {
  return `${IPAM}${network}/`;
}

export function addressKey(network: string, address: string): string {
  return addressesOf(network) + address;
}

export function macsOf(network: string): string {
  return `${MACS}${network}/`;
}

export function macKey(network: string, mac: string): string {
  return macsOf(network) + mac;
}

/** The last part of a key: an id, an address, a MAC or a VNI. */
export function lastPart(key: string): string {
  return key.slice(key.lastIndexOf('/') + 1);
}
