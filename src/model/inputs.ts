/** What people ask for when they create things, before defaults and allocation. All text is as they typed it. */

export interface NetworkInput {
  readonly name: string;
  /** IPv4 and IPv6 prefixes; a free /24 of the default pool without any. */
  readonly subnets?: readonly string[];
  /** Each belongs to the subnet that contains it. The subnet's first address without one. */
  readonly gateways?: readonly string[];
  /** Where automatic addresses come from; each belongs to the subnet that contains it. */
  readonly ranges?: readonly string[];
  /** Add a random ULA /64 if no IPv6 subnet is given. */
  readonly ipv6?: boolean;
  readonly internal?: boolean;
  /** IP MTU inside, bytes. `NetworkHost.mtu` without one. */
  readonly mtu?: number;
  readonly vni?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly options?: Readonly<Record<string, string>>;
}

/** A prefix that the host routes itself and that no overlay may cover. */
export interface HostRoute {
  readonly subnet: string;
  /** For the message, such as `route 10.0.0.0/8 dev eth0`. */
  readonly name: string;
}

/** What the creating host adds to a NetworkInput. */
export interface NetworkHost {
  readonly routes: readonly HostRoute[];
  /** Biggest inner IP packet that this host's underlay carries, bytes. */
  readonly mtu: number;
}

export interface EndpointInput {
  /** Random without one. Chosen by who must recognize the endpoint even if the answer gets lost. */
  readonly id?: string;
  readonly name: string;
  /** Id of the node that owns it, or EXTERNAL_NODE. */
  readonly node: string;
  /**
   * At most one per IP version; for each IP version of the network without one, one is chosen. A declared peer that
   * names any gets exactly those.
   */
  readonly addresses?: readonly string[];
  /** Random without one. */
  readonly mac?: string;
  /** Without `mac`: that of its first address (`macOfAddress`), and random only if somebody has it. */
  readonly hasMacOfAddress?: boolean;
  readonly aliases?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  /** Underlay address of a declared peer; required with EXTERNAL_NODE, forbidden otherwise. */
  readonly vtep?: string;
}
