import type { Command } from 'commander';
import type { ListOptions } from '../output/list.js';
import type { InspectFlags } from './node.js';
import { addInspectOptions, addListOptions, collect, collectPairs, wholeNumber } from './options.js';

export interface CreateFlags {
  readonly subnet?: string[];
  readonly gateway?: string[];
  readonly ipRange?: string[];
  readonly ipv6?: boolean;
  readonly internal?: boolean;
  readonly mtu?: number;
  readonly vni?: number;
  readonly label?: Record<string, string>;
  readonly opt?: Record<string, string>;
  readonly swarm?: boolean;
}

const createHelp = `
Examples:
  plait network create app
  plait network create --subnet 10.10.0.0/16 --gateway 10.10.0.1 --ip-range 10.10.10.0/24 app
  plait network create --subnet 10.10.0.0/24 --subnet fd00:10::/64 --internal db`;

export function addNetwork(program: Command): void {
  const network = program
    .command('network')
    .summary('create, show and remove networks')
    .description('Create, show and remove networks.');
  addCreate(network);

  const list = network
    .command('ls')
    .alias('list')
    .description('List the networks. "live": this host has an endpoint there, and so follows it.')
    .action(async (flags: ListOptions, command: Command) =>
      (await import('./actions/network.js')).listNetworks(flags, command),
    );
  addListOptions(list, ['id', 'name', 'label', 'vni', 'internal', 'live']);

  const inspect = network
    .command('inspect')
    .description('Print networks as a JSON array.')
    .argument('<network...>', 'name, id or unique prefix of an id')
    .action(async (refs: string[], flags: InspectFlags, command: Command) =>
      (await import('./actions/network.js')).inspectNetworks(refs, flags, command),
    );
  addInspectOptions(inspect);

  network
    .command('rm')
    .alias('remove')
    .description('Remove networks that have no endpoint left.')
    .argument('<network...>', 'name, id or unique prefix of an id')
    .action(async (refs: string[], _flags: object, command: Command) =>
      (await import('./actions/network.js')).removeNetworks(refs, command),
    );
}

function addCreate(network: Command): void {
  network
    .command('create')
    .description('Create a network and print its id.')
    .argument('<name>', '1 to 63 letters, digits, "-", "_" or "."')
    .option('--subnet <cidr>', 'IPv4 or IPv6 subnet, repeatable (default: a free IPv4 /24)', collect)
    .option(
      '--gateway <address>',
      'gateway of the subnet that holds it, repeatable (default: its first)',
      collect,
    )
    .option('--ip-range <cidr>', 'part of a subnet to choose addresses from, repeatable', collect)
    .option('--ipv6', 'add a random IPv6 subnet if none is given')
    .option('--internal', 'no way out: no gateway, no forwarding of names')
    .option('--mtu <bytes>', 'size of the biggest IP packet inside', wholeNumber(576, 65535))
    .option(
      '--vni <number>',
      'VXLAN network identifier (default: the lowest free from 4096)',
      wholeNumber(1, 16777215),
    )
    .option('--label <key=value>', 'label, repeatable', collectPairs)
    .option('-o, --opt <key=value>', 'option of the network, repeatable', collectPairs)
    .option('--swarm', 'a network of the Docker Swarm of these hosts, too; needs `plait docker install`')
    .addHelpText('after', createHelp)
    .action(async (name: string, flags: CreateFlags, command: Command) =>
      (await import('./actions/network.js')).createNetwork(name, flags, command),
    );
}
