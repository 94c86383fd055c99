import type { Command } from 'commander';
import type { ListOptions } from '../output/list.js';
import { addListOptions, macAddress, wholeNumber } from './options.js';

export interface DumpFlags {
  readonly json?: boolean;
  readonly format: string;
  readonly vni?: number;
  readonly mac?: string;
  readonly ip?: string;
}

const dumpHelp = `
Examples:
  plait map dump fdb --vni 4096
  plait map dump neighbors --ip 10.10.0.7 --json`;

export function addMap(program: Command): void {
  const map = program
    .command('map')
    .summary("show the datapath's BPF maps")
    .description("Show the datapath's BPF maps.");

  const list = map
    .command('ls')
    .alias('list')
    .description('List the maps and how full they are.')
    .action(async (flags: ListOptions, command: Command) =>
      (await import('./actions/map.js')).listMaps(flags, command),
    );
  addListOptions(list, ['name', 'type']);

  map
    .command('dump')
    .description('Print the rows of a map, decoded.')
    .argument('<map>', 'name as `plait map ls` has it')
    .option('--vni <number>', 'only rows of this network', wholeNumber(0, 16777215))
    .option('--mac <mac>', 'only rows with this MAC address', macAddress)
    .option('--ip <address>', 'only rows with this address')
    .option('--format <format>', "table, json, or a template such as '{{.mac}}'", 'table')
    .option('--json', 'same as --format json')
    .addHelpText('after', dumpHelp)
    .action(async (name: string, flags: DumpFlags, command: Command) =>
      (await import('./actions/map.js')).dumpMap(name, flags, command),
    );
}
