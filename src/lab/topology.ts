/*
 * The shape of a lab, from its name and size alone: who there is, what each is called, which address it has.
 *
 *        n1          n2          nN        other hosts     outside: the default route of all hosts,
 *     192.0.2.1   192.0.2.2   192.0.2.N    192.0.2.201…    stands for the rest of the world
 *         │           │           │            │               │ 192.0.2.250, 198.51.100.1 behind it
 *     ┌───┴───────────┴───────────┴────────────┴───────────────┴───┐
 *     │  bridge in the namespace `underlay`; etcd at 192.0.2.254   │
 *     └────────────────────────────────────────────────────────────┘
 *
 * etcd is there in labs without managers. Each has an IPv6 address too, 2001:db8::<the same last number, in hexadecimal>.
 */
import path from 'node:path';

export interface LabSpec {
  name: string;
  /** How many hosts run an agent. */
  nodes: number;
  /**
   * How many of them are managers, of a cluster made by `plait init` and `plait join`. None: an etcd of the lab's own,
   * without certificates, which tests can take away from all agents at once.
   */
  managers: number;
  /** Life of members' certificates, as `plait init` is told. */
  certExpiry: string;
  /** Names of hosts without an agent: a plain kernel VXLAN peer, a baseline. */
  plainHosts: string[];
  /** VTEPs have IPv6 addresses. */
  ipv6Underlay: boolean;
  /** IP MTU of the underlay in bytes. */
  mtu: number;
}

export interface Host {
  name: string;
  namespace: string;
  address: string;
  address6: string;
  /** What it tells others: the address of its VTEP. */
  vtep: string;
}

/** Longest name with which every namespace and link name still fits. */
export const MAX_NODES = 200;
export const OUTSIDE = { address: '198.51.100.1', address6: '2001:db8:ffff::1' } as const;
const OUTSIDE_ROUTER = 250;
const UNDERLAY = 254;
const FIRST_PLAIN_HOST = 201;

export const ETCD_URL = `http://192.0.2.${UNDERLAY}:2379`;
export const underlayAddress = address(UNDERLAY);
export const routerAddress = address(OUTSIDE_ROUTER);

export function namespaceOf(lab: string, member: string): string {
  return `plait-${lab}-${member}`;
}

export function namespacePath(lab: string, member: string): string {
  return `/run/netns/${namespaceOf(lab, member)}`;
}

/** Everything that a lab writes; short, because a unix socket's path has 107 bytes. */
export function stateDir(lab: string): string {
  return path.join('/run/plait-lab', lab);
}

export function nodesOf(spec: LabSpec): Host[] {
  return Array.from({ length: spec.nodes }, (_, index) => host(spec, `n${index + 1}`, index + 1));
}

export function plainHostsOf(spec: LabSpec): Host[] {
  return spec.plainHosts.map((name, index) => host(spec, name, FIRST_PLAIN_HOST + index));
}

export function outsideOf(spec: LabSpec): Host {
  return host(spec, 'outside', OUTSIDE_ROUTER);
}

function host(spec: LabSpec, name: string, number: number): Host {
  const { v4, v6 } = address(number);
  return {
    name,
    namespace: namespaceOf(spec.name, name),
    address: v4,
    address6: v6,
    vtep: spec.ipv6Underlay ? v6 : v4,
  };
}

function address(number: number): { v4: string; v6: string } {
  return { v4: `192.0.2.${number}`, v6: `2001:db8::${number.toString(16)}` };
}
