import type { Command } from 'commander';
import type { NodeAnswer } from '../../model/api.js';
import { paint } from '../../output/colour.js';
import { formatList, hasLabel, type Listing, type ListOptions } from '../../output/list.js';
import { print } from '../../output/print.js';
import { shortId, yesNo } from '../../output/text.js';
import type { InspectFlags } from '../node.js';
import { clientOf, inspectAll } from './common.js';

const nodes: Listing<NodeAnswer> = {
  id: ({ id }) => id,
  columns: [
    { title: 'ID', text: ({ id }) => id, short: shortId },
    { title: 'NAME', text: ({ name }) => name },
    { title: 'VTEP', text: ({ vtep }) => vtep },
    { title: 'STATE', text: ({ state }) => state, short: paintState },
    { title: 'SELF', text: ({ self }) => yesNo(self) },
    { title: 'VERSION', text: ({ version }) => version },
  ],
  filters: {
    id: (node, value) => node.id.startsWith(value),
    name: (node, value) => node.name.includes(value),
    state: (node, value) => node.state === value,
    label: hasLabel,
  },
};

export async function listNodes(flags: ListOptions, command: Command): Promise<void> {
  print(formatList(await clientOf(command).get<NodeAnswer[]>('/v1/nodes'), nodes, flags));
}

export function inspectNodes(refs: string[], flags: InspectFlags, command: Command): Promise<void> {
  return inspectAll(command, 'nodes', refs, flags);
}

function paintState(state: string): string {
  return paint(state, state === 'ready' ? 'green' : 'red');
}
