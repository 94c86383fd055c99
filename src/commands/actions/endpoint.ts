import path from 'node:path';
import type { Command } from 'commander';
import type { AttachRequest, EndpointAnswer, EndpointChangeAnswer, RemovedAnswer } from '../../model/api.js';
import { UsageError } from '../../output/errors.js';
import { formatList, hasLabel, isSo, type Listing, type ListOptions } from '../../output/list.js';
import { print, warn } from '../../output/print.js';
import { shorten, shortId, yesNo } from '../../output/text.js';
import type { AttachFlags } from '../endpoint.js';
import type { InspectFlags } from '../node.js';
import { clientOf, forEach, inspectAll } from './common.js';
import { checkAddresses, checkInterface, checkName } from './values.js';

const endpoints: Listing<EndpointAnswer> = {
  id: ({ id }) => id,
  columns: [
    { title: 'ID', text: ({ id }) => id, short: shortId },
    { title: 'NAME', text: ({ name }) => name },
    { title: 'NETWORK', text: ({ network }) => network.name },
    { title: 'NODE', text: ({ node, vtep }) => node?.name ?? `(${vtep ?? 'unknown'})` },
    { title: 'ADDRESSES', text: ({ addresses }) => addresses.join(','), short: shorten },
    { title: 'MAC', text: ({ mac }) => mac },
    { title: 'LOCAL', text: ({ local }) => yesNo(local !== undefined) },
  ],
  filters: {
    id: (endpoint, value) => endpoint.id.startsWith(value),
    name: ({ name, aliases }, value) => name.includes(value) || aliases.includes(value),
    network: ({ network }, value) => network.name === value || network.id.startsWith(value),
    node: ({ node }, value) => node?.name === value || (node?.id.startsWith(value) ?? false),
    ip: ({ addresses }, value) => addresses.includes(value),
    mac: ({ mac }, value) => mac === value.toLowerCase(),
    label: hasLabel,
    local: ({ local }, value) => isSo('local', local !== undefined, value),
  },
};

export async function attach(namespace: string, flags: AttachFlags, command: Command): Promise<void> {
  const netns = namespacePath(namespace);
  const name = flags.name ?? defaultName(namespace);
  checkName('option --name', name);
  for (const alias of flags.alias ?? []) checkName('option --alias', alias);
  checkInterface('--ifname', flags.ifname);
  checkAddresses('--ip', flags.ip);
  const request: AttachRequest = {
    network: flags.network,
    name,
    netns,
    ifname: flags.ifname,
    ip: flags.ip,
    mac: flags.mac,
    aliases: flags.alias,
    labels: flags.label,
  };
  const { endpoint, warnings } = await clientOf(command).post<EndpointChangeAnswer>('/v1/endpoints', request);
  warnings.forEach(warn);
  print(endpoint.id);
}

export async function listEndpoints(
  flags: ListOptions & { network?: string },
  command: Command,
): Promise<void> {
  const query = flags.network === undefined ? '' : `?network=${encodeURIComponent(flags.network)}`;
  print(formatList(await clientOf(command).get<EndpointAnswer[]>(`/v1/endpoints${query}`), endpoints, flags));
}

export function inspectEndpoints(refs: string[], flags: InspectFlags, command: Command): Promise<void> {
  return inspectAll(command, 'endpoints', refs, flags);
}

export async function removeEndpoints(refs: string[], command: Command): Promise<void> {
  const client = clientOf(command);
  await forEach(refs, async (ref) => {
    const { warnings } = await client.delete<RemovedAnswer>(`/v1/endpoints/${encodeURIComponent(ref)}`);
    warnings.forEach(warn);
    print(ref);
  });
}

/** A path stays one, made absolute; pid:N is for the agent; anything else is a name that `ip netns` knows. */
function namespacePath(given: string): string {
  if (given.startsWith('pid:')) {
    if (/^pid:[1-9]\d*$/.test(given)) return given;
    throw new UsageError(`namespace ${given}: not a process id`, 'give it as pid:1234');
  }
  if (given === '') throw new UsageError('namespace "": it is empty', 'give a path, pid:N or a name');
  return given.includes('/') ? path.resolve(given) : path.join('/run/netns', given);
}

/** What the namespace is called, if it is. */
function defaultName(given: string): string {
  if (!given.startsWith('pid:') && !given.startsWith('/proc/')) return path.basename(given);
  throw new UsageError(`namespace ${given}: it has no name for the endpoint`, 'give one with --name');
}
