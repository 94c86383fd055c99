/*
 * What Docker sends to a plugin, as zod schemas: libnetwork's remote driver and remote IPAM protocol (version 1), as spoken by
 * dockerd 20.10 and later. Loose: later versions send more.
 */
import { z } from 'zod';

const text = z.string().default('');
const options = z.record(z.string(), z.unknown()).nullish();

const ipamData = z.looseObject({
  /** CIDR */
  Pool: text,
  /** CIDR: the address with the pool's prefix length; empty where there is none. */
  Gateway: text,
});

export const createNetworkSchema = z.looseObject({
  NetworkID: z.string().min(1),
  Options: options,
  IPv4Data: z.array(ipamData).nullish(),
  IPv6Data: z.array(ipamData).nullish(),
});
export type CreateNetwork = z.infer<typeof createNetworkSchema>;

export const networkIdSchema = z.looseObject({ NetworkID: z.string().min(1) });

export const createEndpointSchema = z.looseObject({
  NetworkID: z.string().min(1),
  EndpointID: z.string().min(1),
  Interface: z.looseObject({ Address: text, AddressIPv6: text, MacAddress: text }).nullish(),
});
export type CreateEndpoint = z.infer<typeof createEndpointSchema>;

export const endpointIdSchema = z.looseObject({
  NetworkID: z.string().min(1),
  EndpointID: z.string().min(1),
});

export const joinSchema = endpointIdSchema.extend({
  /** Path of the container's network namespace. */
  SandboxKey: z.string().min(1),
});
export type Join = z.infer<typeof joinSchema>;

export const requestPoolSchema = z.looseObject({
  AddressSpace: text,
  /** CIDR; empty: the driver chooses. */
  Pool: text,
  SubPool: text,
  Options: options,
  V6: z.boolean().default(false),
});
export type RequestPool = z.infer<typeof requestPoolSchema>;

export const requestAddressSchema = z.looseObject({
  PoolID: z.string().min(1),
  /** Without a prefix length; empty: the driver chooses. */
  Address: text,
  Options: options,
});
export type RequestAddress = z.infer<typeof requestAddressSchema>;

export const releaseAddressSchema = z.looseObject({ PoolID: z.string().min(1), Address: text });

/** What people say with `docker network create -d`. */
export const DRIVER_NAME = 'plait';
/** The same, of a managed plugin. */
export const PLUGIN_NAME = `${DRIVER_NAME}:latest`;
/** Key of a `docker network create -o`, and of `--ipam-opt`: the network's name in the cluster. */
export const NETWORK_OPTION = 'plait.network';
/** Of the cluster's network: `true` for one that Docker Swarm has, too. */
export const SWARM_OPTION = 'plait.swarm';
export const VNI_OPTION = 'plait.vni';
export const MTU_OPTION = 'com.docker.network.driver.mtu';
export const INTERNAL = 'com.docker.network.internal';
export const GENERIC = 'com.docker.network.generic';
/** Docker's word for "the first address that is asked for is the gateway's". */
export const ADDRESS_TYPE = 'RequestAddressType';
export const GATEWAY_TYPE = 'com.docker.network.gateway';

/** Values of `-o` and `--ipam-opt`, which are text. */
export function textOptions(value: unknown): Record<string, string> {
  const parsed = z.record(z.string(), z.string()).safeParse(value);
  return parsed.success ? parsed.data : {};
}
