/*
 * Docker's IPAM driver: addresses that no other host gives away. Docker asks for a pool and for addresses in it, and says of
 * neither which network or container it is for. So a pool is known by its subnet, which no two networks share, and an address
 * is held by an endpoint that is reserved for it; the network driver takes that over when Docker makes the endpoint.
 */
import type { Logger } from 'pino';
import type { Endpoints } from '../agent/endpoints.js';
import { parseRequest } from '../http/failures.js';
import { canonicalIp, contains, formatCidr, formatIp, parseCidr, parseIp } from '../model/addresses.js';
import { AddressTaken, InvalidInput } from '../model/errors.js';
import { type Network, randomId } from '../model/records.js';
import type { ClusterNetworks } from './cluster-networks.js';
import type { Methods } from './plugin.js';
import {
  ADDRESS_TYPE,
  GATEWAY_TYPE,
  NETWORK_OPTION,
  type RequestAddress,
  type RequestPool,
  releaseAddressSchema,
  requestAddressSchema,
  requestPoolSchema,
  textOptions,
} from './protocol.js';
import type { Ranges } from './ranges.js';
import type { Releases } from './releases.js';

export interface IpamOptions {
  readonly cluster: ClusterNetworks;
  readonly endpoints: Pick<Endpoints, 'detach' | 'handed'>;
  readonly releases: Releases;
  readonly ranges: Ranges;
  readonly log: Logger;
}

export class Ipam {
  readonly #options: IpamOptions;

  constructor(options: IpamOptions) {
    this.#options = options;
  }

  methods(): Methods {
    return {
      'IpamDriver.GetCapabilities': () => ({ RequiresMACAddress: false }),
      'IpamDriver.GetDefaultAddressSpaces': () => ({
        LocalDefaultAddressSpace: 'PlaitLocal',
        GlobalDefaultAddressSpace: 'PlaitGlobal',
      }),
      'IpamDriver.RequestPool': (body) =>
        this.requestPool(parseRequest(requestPoolSchema, body, 'request pool')),
      'IpamDriver.ReleasePool': () => ({}),
      'IpamDriver.RequestAddress': (body) =>
        this.requestAddress(parseRequest(requestAddressSchema, body, 'request address')),
      'IpamDriver.ReleaseAddress': (body) => {
        const { PoolID, Address } = parseRequest(releaseAddressSchema, body, 'release address');
        return this.releaseAddress(PoolID, Address);
      },
    };
  }

  /** The network of that name, made if there is none; without a name the subnet that Docker was told. */
  async requestPool({ Pool, SubPool, Options, V6 }: RequestPool): Promise<object> {
    if (V6) {
      throw new InvalidInput(
        'request pool: IPv6 by Docker is not there yet',
        'leave out --ipv6 and IPv6 subnets',
      );
    }
    const name = textOptions(Options)[NETWORK_OPTION];
    const range = SubPool === '' ? '' : formatCidr(parseCidr(SubPool));
    if (name === undefined) {
      if (Pool !== '') {
        const pool = formatCidr(parseCidr(Pool));
        this.#options.ranges.request(pool, range);
        return poolOf(pool, undefined);
      }
      throw new InvalidInput(
        'request pool: neither a subnet nor a network of the cluster is named',
        `give --subnet, or --ipam-opt ${NETWORK_OPTION}=NAME`,
      );
    }
    const { cluster, ranges } = this.#options;
    const wanted = {
      ...(Pool !== '' && { subnets: [formatCidr(parseCidr(Pool))] }),
      ...(range !== '' && { ranges: [range] }),
    };
    const network = (await cluster.find(name, '')) ?? (await cluster.create({ name, ...wanted }));
    const own = network.subnets.find(({ subnet }) => !subnet.includes(':'));
    if (own === undefined) throw new InvalidInput(`request pool: network ${name} has no IPv4 subnet`);
    if (Pool !== '' && own.subnet !== formatCidr(parseCidr(Pool))) {
      throw new InvalidInput(
        `request pool: network ${name} has subnet ${own.subnet}, not ${Pool}`,
        'leave out --subnet',
      );
    }
    ranges.request(own.subnet, range);
    return poolOf(own.subnet, own.gateway ?? undefined);
  }

  async requestAddress({ PoolID, Address, Options }: RequestAddress): Promise<object> {
    const pool = parseCidr(PoolID);
    const isGateway = textOptions(Options)[ADDRESS_TYPE] === GATEWAY_TYPE;
    const network = await this.#options.cluster.find(undefined, PoolID);
    if (isGateway) {
      const gateway = Address || (network && gatewayIn(network, PoolID)) || firstOf(PoolID);
      return { Address: `${canonicalIp(gateway)}/${pool.prefix}` };
    }
    if (Address !== '' && !contains(pool, parseIp(Address))) {
      throw new InvalidInput(`request address ${Address}: not in ${PoolID}`);
    }
    if (network === undefined) {
      // Docker asks for auxiliary addresses before there is a network; they are nobody's endpoint.
      if (Address !== '') return { Address: `${canonicalIp(Address)}/${pool.prefix}` };
      throw new InvalidInput(`request address: no network of the cluster has subnet ${PoolID}`);
    }
    const wanted = Address === '' ? undefined : canonicalIp(Address);
    if (wanted !== undefined) await this.#freeHere(network, wanted);
    const entry = await this.#options.endpoints.handed.reserve(
      network,
      { name: `docker-${randomId().slice(0, 12)}`, ...(wanted && { addresses: [wanted] }) },
      { endpoint: '' },
    );
    const address = entry.endpoint?.addresses.find((one) => !one.includes(':')) ?? '';
    return { Address: `${address}/${pool.prefix}` };
  }

  /** Docker has forgotten whoever had it here: a dockerd that was killed gives nothing back. */
  async #freeHere(network: Network, address: string): Promise<void> {
    const { endpoints, log } = this.#options;
    const holder = endpoints.handed.holderOf(network, address);
    if (holder === undefined) return;
    if (endpoints.handed.isInUse(holder)) {
      throw new AddressTaken(address, network.name, `endpoint ${holder.endpoint?.name} of this host`);
    }
    log.info({ endpoint: holder.id, address }, 'Docker gives the address anew: its endpoint of before goes');
    await endpoints.detach(holder.id);
  }

  /**
   * Most went with their endpoint. What is left is an address whose endpoint never came, or whose DeleteEndpoint
   * did not arrive.
   */
  async releaseAddress(pool: string, address: string): Promise<object> {
    const { cluster, releases, endpoints } = this.#options;
    const network = address === '' ? undefined : await cluster.find(undefined, pool);
    if (network === undefined) return {};
    const plain = canonicalIp(address);
    if (releases.take(network.id, plain)) return {};
    const holder = endpoints.handed.holderOf(network, plain);
    if (holder === undefined) return {};
    const isUnclaimed = holder.handed?.endpoint === '';
    if (isUnclaimed || !endpoints.handed.isInUse(holder)) await endpoints.detach(holder.id);
    return {};
  }
}

function poolOf(subnet: string, gateway: string | undefined): object {
  const { prefix } = parseCidr(subnet);
  const data = gateway === undefined ? {} : { 'com.docker.network.gateway': `${gateway}/${prefix}` };
  return { PoolID: subnet, Pool: subnet, Data: data };
}

function gatewayIn({ subnets }: Network, pool: string): string | undefined {
  return subnets.find(({ subnet }) => subnet === pool)?.gateway ?? undefined;
}

/** The first address behind that of the subnet itself. */
function firstOf(pool: string): string {
  const { version, base } = parseCidr(pool);
  return formatIp({ version, value: base + 1n });
}
