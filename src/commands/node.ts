import type { Command } from 'commander';
import type { ListOptions } from '../output/list.js';
import { addInspectOptions, addListOptions } from './options.js';

export interface InspectFlags {
  readonly format: string;
}

export function addNode(program: Command): void {
  const node = program
    .command('node')
    .summary('show the hosts of the cluster')
    .description('Show the hosts of the cluster.');

  const list = node
    .command('ls')
    .alias('list')
    .description('List the nodes.')
    .action(async (flags: ListOptions, command: Command) =>
      (await import('./actions/node.js')).listNodes(flags, command),
    );
  addListOptions(list, ['id', 'name', 'state', 'label']);

  const inspect = node
    .command('inspect')
    .description('Print nodes as a JSON array.')
    .argument('<node...>', 'name, id or unique prefix of an id')
    .action(async (refs: string[], flags: InspectFlags, command: Command) =>
      (await import('./actions/node.js')).inspectNodes(refs, flags, command),
    );
  addInspectOptions(inspect);
}
