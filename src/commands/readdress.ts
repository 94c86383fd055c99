import { type Command, Option } from 'commander';
import { dataPathAddressOption, listenAddressOption, noAgentOption } from './init.js';
import { collectList } from './options.js';

export interface ReaddressFlags {
  readonly advertiseAddr?: string;
  readonly listenAddr?: string;
  readonly dataPathAddr?: string;
  readonly manager?: readonly string[];
  /** False with --no-agent. */
  readonly agent: boolean;
}

const help = `
The host must have the new addresses already; take the old ones off it when this is done. Its agent is started again and
tells the cluster; containers keep their addresses, and lose packets only until the other nodes know. Move managers one
at a time. --manager is for a worker whose managers have all moved while it was away.

Example:
  ip address add 192.0.2.71/24 dev eth0
  plait readdress --advertise-addr 192.0.2.71`;

export function addReaddress(program: Command): void {
  program
    .command('readdress')
    .summary('this member has another address now')
    .description('Tell the cluster that this host has other addresses than when it became a member.')
    .addOption(new Option('--advertise-addr <address>', 'where other nodes reach this one'))
    .addOption(listenAddressOption())
    .addOption(dataPathAddressOption())
    .addOption(
      new Option('--manager <host>', 'HOST[:PORT] of a manager, repeatable or with commas').argParser(
        collectList,
      ),
    )
    .addOption(noAgentOption())
    .addHelpText('after', help)
    .action(async (flags: ReaddressFlags, command: Command) =>
      (await import('./actions/readdress.js')).readdress(flags, command),
    );
}
