import type { Command } from 'commander';
import type { NodeAnswer, RemovedAnswer } from '../../model/api.js';
import type { NodeUpdateRequest } from '../../model/api-trust.js';
import { paint } from '../../output/colour.js';
import { UsageError } from '../../output/errors.js';
import { formatList, hasLabel, type Listing, type ListOptions } from '../../output/list.js';
import { print } from '../../output/print.js';
import { shortId, yesNo } from '../../output/text.js';
import type { InspectFlags, NodeRemoveFlags, NodeUpdateFlags } from '../node.js';
import { clientOf, forEach, inspectAll } from './common.js';

/** A new member of etcd has to catch up. Milliseconds. */
const ROLE_MS = 120_000;

const nodes: Listing<NodeAnswer> = {
  id: ({ id }) => id,
  columns: [
    { title: 'ID', text: ({ id }) => id, short: shortId },
    { title: 'NAME', text: ({ name }) => name },
    { title: 'VTEP', text: ({ vtep }) => vtep },
    { title: 'STATE', text: ({ state }) => state, short: paintState },
    { title: 'ROLE', text: ({ role }) => role ?? '-' },
    { title: 'AVAILABILITY', text: ({ availability }) => availability ?? '-' },
    { title: 'SELF', text: ({ self }) => yesNo(self) },
    { title: 'VERSION', text: ({ version }) => version },
  ],
  filters: {
    id: (node, value) => node.id.startsWith(value),
    name: (node, value) => node.name.includes(value),
    state: (node, value) => node.state === value,
    role: (node, value) => node.role === value,
    availability: (node, value) => node.availability === value,
    label: hasLabel,
  },
};

export async function listNodes(flags: ListOptions, command: Command): Promise<void> {
  print(formatList(await clientOf(command).get<NodeAnswer[]>('/v1/nodes'), nodes, flags));
}

export function inspectNodes(refs: string[], flags: InspectFlags, command: Command): Promise<void> {
  return inspectAll(command, 'nodes', refs, flags);
}

/** Each prints the node's id when it is done. */
export function setRole(refs: string[], role: 'worker' | 'manager', command: Command): Promise<void> {
  const client = clientOf(command);
  return forEach(refs, async (ref) => {
    const path = `/v1/nodes/${encodeURIComponent(ref)}`;
    const { name } = await client.post<NodeAnswer>(path, { role } satisfies NodeUpdateRequest, ROLE_MS);
    print(`Node ${name} is a ${role}.`);
  });
}

export function removeNodes(
  refs: string[],
  { force = false }: NodeRemoveFlags,
  command: Command,
): Promise<void> {
  const client = clientOf(command);
  return forEach(refs, async (ref) => {
    const { id } = await client.delete<RemovedAnswer>(`/v1/nodes/${encodeURIComponent(ref)}?force=${force}`);
    print(id);
  });
}

export async function updateNode(
  ref: string,
  { labelAdd, labelRm, availability }: NodeUpdateFlags,
  command: Command,
): Promise<void> {
  if (labelAdd === undefined && labelRm === undefined && availability === undefined) {
    throw new UsageError('update node: nothing to change', 'give --label-add, --label-rm or --availability');
  }
  const change: NodeUpdateRequest = {
    addLabels: labelAdd && { ...labelAdd },
    removeLabels: labelRm && [...labelRm],
    availability,
  };
  const { id } = await clientOf(command).post<NodeAnswer>(`/v1/nodes/${encodeURIComponent(ref)}`, change);
  print(id);
}

function paintState(state: string): string {
  return paint(state, state === 'ready' ? 'green' : 'red');
}
