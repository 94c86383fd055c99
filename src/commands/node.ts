import { type Command, Option } from 'commander';
import type { ListOptions } from '../output/list.js';
import { addInspectOptions, addListOptions, collect, collectPairs } from './options.js';

export interface InspectFlags {
  readonly format: string;
}

export interface NodeRemoveFlags {
  readonly force?: boolean;
}

export interface NodeUpdateFlags {
  readonly labelAdd?: Readonly<Record<string, string>>;
  readonly labelRm?: readonly string[];
  readonly availability?: 'active' | 'pause' | 'drain';
}

export function addNode(program: Command): void {
  const node = program
    .command('node')
    .summary('show and change the hosts of the cluster')
    .description('Show and change the hosts of the cluster. What changes them runs on a manager.');

  const list = node
    .command('ls')
    .alias('list')
    .description('List the nodes.')
    .action(async (flags: ListOptions, command: Command) =>
      (await import('./actions/node.js')).listNodes(flags, command),
    );
  addListOptions(list, ['id', 'name', 'state', 'role', 'availability', 'label']);

  const inspect = node
    .command('inspect')
    .description('Print nodes as a JSON array.')
    .argument('<node...>', 'name, id or unique prefix of an id')
    .action(async (refs: string[], flags: InspectFlags, command: Command) =>
      (await import('./actions/node.js')).inspectNodes(refs, flags, command),
    );
  addInspectOptions(inspect);
  addChanges(node);
}

function addChanges(node: Command): void {
  node
    .command('promote')
    .description('Make workers managers: each becomes a member of etcd.')
    .argument('<node...>', 'name, id or unique prefix of an id')
    .action(async (refs: string[], _flags: object, command: Command) =>
      (await import('./actions/node.js')).setRole(refs, 'manager', command),
    );
  node
    .command('demote')
    .description('Make managers workers.')
    .argument('<node...>', 'name, id or unique prefix of an id')
    .action(async (refs: string[], _flags: object, command: Command) =>
      (await import('./actions/node.js')).setRole(refs, 'worker', command),
    );
  node
    .command('rm')
    .description('Take nodes that are down out of the cluster, with their endpoints.')
    .argument('<node...>', 'name, id or unique prefix of an id')
    .option('-f, --force', 'also one that is up, and a manager that is lost')
    .action(async (refs: string[], flags: NodeRemoveFlags, command: Command) =>
      (await import('./actions/node.js')).removeNodes(refs, flags, command),
    );
  node
    .command('update')
    .description('Change what is said of a node.')
    .argument('<node>', 'name, id or unique prefix of an id')
    .option('--label-add <key=value>', 'add or change a label, repeatable', collectPairs)
    .option('--label-rm <key>', 'remove a label, repeatable', collect)
    .addOption(
      new Option(
        '--availability <state>',
        'active; pause: nothing new is attached there; drain: that, and it is to be emptied',
      ).choices(['active', 'pause', 'drain']),
    )
    .action(async (ref: string, flags: NodeUpdateFlags, command: Command) =>
      (await import('./actions/node.js')).updateNode(ref, flags, command),
    );
}
