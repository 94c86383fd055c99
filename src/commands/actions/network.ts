import type { Command } from 'commander';
import { SWARM_OPTION } from '../../docker/protocol.js';
import type { NetworkAnswer, NetworkCreateRequest, RemovedAnswer } from '../../model/api.js';
import { formatList, hasLabel, isSo, type Listing, type ListOptions } from '../../output/list.js';
import { print, warn } from '../../output/print.js';
import { shorten, shortId, yesNo } from '../../output/text.js';
import type { CreateFlags } from '../network.js';
import type { InspectFlags } from '../node.js';
import { clientOf, forEach, inspectAll } from './common.js';
import { checkAddresses, checkName, checkSubnets } from './values.js';

const networks: Listing<NetworkAnswer> = {
  id: ({ id }) => id,
  columns: [
    { title: 'ID', text: ({ id }) => id, short: shortId },
    { title: 'NAME', text: ({ name }) => name },
    { title: 'VNI', text: ({ vni }) => String(vni), align: 'right' },
    {
      title: 'SUBNETS',
      text: ({ subnets }) => subnets.map(({ subnet }) => subnet).join(','),
      short: shorten,
    },
    { title: 'MTU', text: ({ mtu }) => String(mtu), align: 'right' },
    { title: 'INTERNAL', text: ({ internal }) => yesNo(internal) },
    { title: 'LIVE', text: ({ live }) => yesNo(live) },
  ],
  filters: {
    id: (network, value) => network.id.startsWith(value),
    name: (network, value) => network.name.includes(value),
    vni: (network, value) => String(network.vni) === value,
    internal: (network, value) => isSo('internal', network.internal, value),
    live: (network, value) => isSo('live', network.live, value),
    label: hasLabel,
  },
};

export async function createNetwork(name: string, flags: CreateFlags, command: Command): Promise<void> {
  checkName('network', name);
  checkSubnets('--subnet', flags.subnet);
  checkAddresses('--gateway', flags.gateway);
  checkSubnets('--ip-range', flags.ipRange);
  const request: NetworkCreateRequest = {
    name,
    subnets: flags.subnet,
    gateways: flags.gateway,
    ranges: flags.ipRange,
    ipv6: flags.ipv6,
    internal: flags.internal,
    mtu: flags.mtu,
    vni: flags.vni,
    labels: flags.label,
    options: flags.swarm ? { ...flags.opt, [SWARM_OPTION]: 'true' } : flags.opt,
  };
  const { id } = await clientOf(command).post<NetworkAnswer>('/v1/networks', request);
  print(id);
}

export async function listNetworks(flags: ListOptions, command: Command): Promise<void> {
  print(formatList(await clientOf(command).get<NetworkAnswer[]>('/v1/networks'), networks, flags));
}

export function inspectNetworks(refs: string[], flags: InspectFlags, command: Command): Promise<void> {
  return inspectAll(command, 'networks', refs, flags);
}

export async function removeNetworks(refs: string[], command: Command): Promise<void> {
  const client = clientOf(command);
  await forEach(refs, async (ref) => {
    const { warnings } = await client.delete<RemovedAnswer>(`/v1/networks/${encodeURIComponent(ref)}`);
    warnings.forEach(warn);
    print(ref);
  });
}
