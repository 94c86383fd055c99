/*
 * Docker's network driver. A network of Docker's is one of the cluster's, and so the same on all hosts; an endpoint of Docker's
 * is one of the cluster's whose interface Docker moves, names and addresses itself. What there is of it, the journal of
 * the agent knows; every call can come twice, and for what is gone.
 *
 *     docker run      CreateEndpoint: its record, with the address that Docker says   Join: the interface, in the host's namespace
 *     docker stop     Leave                                                         DeleteEndpoint: all of it goes
 */
import type { Logger } from 'pino';
import type { Endpoints } from '../agent/endpoints.js';
import type { JournalEntry } from '../agent/journal.js';
import { parseRequest } from '../http/failures.js';
import { canonicalIp, containerMac } from '../model/addresses.js';
import { AddressTaken, InvalidInput, NotFound, PlaitError } from '../model/errors.js';
import type { NetworkInput } from '../model/inputs.js';
import type { Network } from '../model/records.js';
import type { ClusterNetworks } from './cluster-networks.js';
import { type DockerNetwork, type DockerNetworks, privateName } from './networks.js';
import type { Methods } from './plugin.js';
import {
  type CreateEndpoint,
  type CreateNetwork,
  createEndpointSchema,
  createNetworkSchema,
  endpointIdSchema,
  GENERIC,
  INTERNAL,
  type Join,
  joinSchema,
  MTU_OPTION,
  NETWORK_OPTION,
  networkIdSchema,
  textOptions,
  VNI_OPTION,
} from './protocol.js';
import type { Ranges } from './ranges.js';
import type { Releases } from './releases.js';

export interface DriverOptions {
  readonly networks: DockerNetworks;
  readonly cluster: ClusterNetworks;
  readonly endpoints: Pick<Endpoints, 'detach' | 'handed'>;
  readonly releases: Releases;
  readonly ranges: Ranges;
  readonly log: Logger;
}

const KNOWN_OPTIONS = new Set([NETWORK_OPTION, VNI_OPTION, MTU_OPTION]);

export class Driver {
  readonly #options: DriverOptions;

  constructor(options: DriverOptions) {
    this.#options = options;
  }

  methods(): Methods {
    const nothing = (): object => ({});
    const parsed =
      <T>(
        schema: Parameters<typeof parseRequest<T>>[0],
        doing: string,
        work: (request: T) => Promise<object>,
      ) =>
      (body: unknown) =>
        work(parseRequest(schema, body, doing));
    return {
      'NetworkDriver.GetCapabilities': () => ({ Scope: 'local', ConnectivityScope: 'global' }),
      'NetworkDriver.CreateNetwork': parsed(createNetworkSchema, 'create network', (request) =>
        this.createNetwork(request),
      ),
      'NetworkDriver.DeleteNetwork': parsed(networkIdSchema, 'delete network', ({ NetworkID }) =>
        this.deleteNetwork(NetworkID),
      ),
      'NetworkDriver.CreateEndpoint': parsed(createEndpointSchema, 'create endpoint', (request) =>
        this.createEndpoint(request),
      ),
      'NetworkDriver.DeleteEndpoint': parsed(endpointIdSchema, 'delete endpoint', ({ EndpointID }) =>
        this.deleteEndpoint(EndpointID),
      ),
      'NetworkDriver.EndpointOperInfo': () => ({ Value: {} }),
      'NetworkDriver.Join': parsed(joinSchema, 'join endpoint', (request) => this.join(request)),
      'NetworkDriver.Leave': nothing,
      'NetworkDriver.DiscoverNew': nothing,
      'NetworkDriver.DiscoverDelete': nothing,
      'NetworkDriver.ProgramExternalConnectivity': nothing,
      'NetworkDriver.RevokeExternalConnectivity': nothing,
      'NetworkDriver.AllocateNetwork': nothing,
      'NetworkDriver.FreeNetwork': nothing,
    };
  }

  async createNetwork({ NetworkID, Options, IPv4Data, IPv6Data }: CreateNetwork): Promise<object> {
    const { networks, cluster, ranges, log } = this.#options;
    const given = textOptions(Options?.[GENERIC]);
    checkOptions(given);
    const isInternal = Options?.[INTERNAL] === true;
    const plain = networkInput(given, isInternal, IPv4Data?.[0], (IPv6Data ?? []).length > 0);
    const range = ranges.take(plain.subnets?.[0] ?? '');
    const input = { ...plain, ...(range !== undefined && { ranges: [range] }) };
    const name = given[NETWORK_OPTION];
    const found = await cluster.find(name, input.subnets?.[0] ?? '');
    if (found) checkSame(found, input);
    const network = found ?? (await cluster.create({ ...input, name: name ?? privateName(NetworkID) }));
    await networks.set(NetworkID, {
      network: network.id,
      isPrivate: found === undefined && name === undefined,
    });
    log.info({ network: network.id, name: network.name, docker: NetworkID }, 'Docker has the network');
    return {};
  }

  /** The cluster's network goes along if nobody but Docker ever knew it. */
  async deleteNetwork(id: string): Promise<object> {
    const { networks, cluster, log } = this.#options;
    const known = networks.get(id);
    if (known === undefined) return {};
    if (!known.isPrivate && cluster.knows(known.network)) await networks.remove(id);
    else await networks.delete(id);
    if (known.isPrivate) {
      await cluster.remove(known.network).catch((error) => {
        log.warn({ network: known.network, err: error }, 'a network stays that only Docker used here');
      });
    }
    return {};
  }

  async createEndpoint({ NetworkID, EndpointID, Interface }: CreateEndpoint): Promise<object> {
    const known = this.#network(NetworkID);
    const network = await this.#options.cluster.byId(known.network);
    const address = plainAddress(Interface?.Address);
    if (address === undefined) {
      throw new InvalidInput(`create endpoint on network ${network.name}: Docker gives it no IPv4 address`);
    }
    const mac = Interface?.MacAddress || undefined;
    const entry =
      (await this.#claim(network, address, EndpointID, mac)) ??
      (await this.#options.endpoints.handed
        .reserve(
          network,
          { name: nameOf(EndpointID), addresses: [address], ...(mac && { mac }) },
          { endpoint: EndpointID },
        )
        .catch(explained));
    return mac === undefined ? { Interface: { MacAddress: entry.endpoint?.mac } } : {};
  }

  /** What holds the address here is the reservation of our IPAM; or an endpoint of before, of which Docker knows nothing any more. */
  async #claim(
    network: Network,
    address: string,
    id: string,
    mac: string | undefined,
  ): Promise<JournalEntry | undefined> {
    const { endpoints } = this.#options;
    const holder = endpoints.handed.holderOf(network, address);
    if (holder === undefined) return undefined;
    const isOurs = holder.handed?.endpoint === '' || holder.handed?.endpoint === id;
    if (isOurs && (mac === undefined || holder.endpoint?.mac === containerMac(mac))) {
      return endpoints.handed.claim(holder.id, { endpoint: id });
    }
    if (!isOurs && endpoints.handed.isInUse(holder)) {
      throw new AddressTaken(address, network.name, `endpoint ${holder.endpoint?.name} of this host`);
    }
    await endpoints.detach(holder.id);
    return undefined;
  }

  async join({ NetworkID, EndpointID, SandboxKey }: Join): Promise<object> {
    const { endpoints, cluster } = this.#options;
    const known = this.#network(NetworkID);
    const network = await cluster.byId(known.network);
    const entry = this.#endpoint(EndpointID);
    if (entry === undefined) {
      throw new NotFound('endpoint', `${EndpointID.slice(0, 12)} of Docker, on network ${network.name}`);
    }
    const interfaceName = await endpoints.handed.handOver(entry.id, SandboxKey, network);
    // Without a gateway Docker adds its own bridge for the way out and for -p, and neither on an internal network.
    return { InterfaceName: { SrcName: interfaceName, DstPrefix: 'eth' } };
  }

  async deleteEndpoint(id: string): Promise<object> {
    const entry = this.#endpoint(id);
    if (entry === undefined) return {};
    const { endpoints, releases } = this.#options;
    for (const address of entry.endpoint?.addresses ?? []) releases.expect(entry.network, address);
    await endpoints.detach(entry.id);
    return {};
  }

  #endpoint(id: string): JournalEntry | undefined {
    return this.#options.endpoints.handed.ofDocker(id);
  }

  #network(id: string): DockerNetwork {
    const known = this.#options.networks.get(id);
    if (known !== undefined) return known;
    throw new NotFound(
      'network',
      `${id.slice(0, 12)} of Docker: \`docker network rm\` it and create it again`,
    );
  }
}

/** Docker's own IPAM knows of this host alone, and gives the same addresses away on each. */
function explained(error: unknown): never {
  if (!(error instanceof AddressTaken)) throw error;
  throw new PlaitError('ADDRESS_TAKEN', error.message, {
    hint: 'with `docker network create --ipam-driver plait` no two hosts choose the same address',
    cause: error,
  });
}

/** Of `-o`. Throws InvalidInput for those that mean nothing, since Docker tells nobody. */
function checkOptions(given: Readonly<Record<string, string>>): void {
  if ('encrypted' in given) {
    throw new InvalidInput(
      'create network: option encrypted is not there yet',
      'encrypt the underlay instead',
    );
  }
  for (const key of Object.keys(given)) {
    if (key.startsWith('plait.') && !KNOWN_OPTIONS.has(key)) {
      throw new InvalidInput(
        `create network: there is no option ${key}`,
        `there are ${[...KNOWN_OPTIONS].join(', ')}`,
      );
    }
  }
}

function networkInput(
  given: Readonly<Record<string, string>>,
  internal: boolean,
  v4: NonNullable<CreateNetwork['IPv4Data']>[number] | undefined,
  hasIpv6: boolean,
): Omit<NetworkInput, 'name'> {
  if (hasIpv6) {
    throw new InvalidInput(
      'create network: IPv6 by Docker is not there yet',
      'leave out --ipv6; `plait network create --ipv6` has both versions for all but Docker',
    );
  }
  if (!v4?.Pool) throw new InvalidInput('create network: it has no IPv4 subnet', 'give --subnet');
  const gateway = plainAddress(v4.Gateway);
  return {
    subnets: [v4.Pool],
    internal,
    ...(gateway !== undefined && !internal && { gateways: [gateway] }),
    ...(given[VNI_OPTION] && { vni: wholeNumber(VNI_OPTION, given[VNI_OPTION]) }),
    ...(given[MTU_OPTION] && { mtu: wholeNumber(MTU_OPTION, given[MTU_OPTION]) }),
  };
}

/** Hosts must agree on a network that they share: what Docker was told here is held against what is there. */
function checkSame(network: Network, input: Omit<NetworkInput, 'name'>): void {
  const differs = (what: string, theirs: unknown, ours: unknown): never => {
    throw new InvalidInput(
      `create network: network ${network.name} is there, with ${what} ${theirs}, not ${ours}`,
      `\`plait network inspect ${network.name}\``,
    );
  };
  const [subnet] = input.subnets ?? [];
  const found = network.subnets.find((one) => one.subnet === subnet);
  if (found === undefined) {
    differs('subnet', network.subnets.map((one) => one.subnet).join(', '), subnet);
    return;
  }
  const [gateway] = input.gateways ?? [];
  if (gateway !== undefined && found.gateway !== null && found.gateway !== gateway) {
    differs('gateway', found.gateway, gateway);
  }
  const [range] = input.ranges ?? [];
  if (range !== undefined && found.range !== range) differs('IP range', found.range ?? 'none', range);
  if (network.internal !== input.internal) differs('internal', network.internal, input.internal);
  if (input.vni !== undefined && network.vni !== input.vni) differs('VNI', network.vni, input.vni);
  if (input.mtu !== undefined && network.mtu !== input.mtu) differs('MTU', network.mtu, input.mtu);
}

function wholeNumber(option: string, text: string): number {
  if (/^\d{1,8}$/.test(text)) return Number(text);
  throw new InvalidInput(`create network: option ${option}=${text}: not a whole number`);
}

/** Of ADDRESS/LENGTH; undefined where there is none. */
function plainAddress(text: string | undefined): string | undefined {
  return text ? canonicalIp(text.split('/')[0] ?? '') : undefined;
}

/** Docker tells no driver what the container is called. */
function nameOf(id: string): string {
  return `docker-${id.slice(0, 12)}`;
}
