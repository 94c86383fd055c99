import { hostname } from 'node:os';
import { type Command, Option } from 'commander';
import { dataPathAddressOption, listenAddressOption, memberAddressOption, noAgentOption } from './init.js';

export interface RestoreFlags {
  readonly name: string;
  readonly advertiseAddr?: string;
  readonly listenAddr?: string;
  readonly dataPathAddr?: string;
  /** False with --no-agent. */
  readonly agent: boolean;
}

const backupHelp = `
The file has the key of the certificate authority in it: whoever has the file can make members. Its mode is 0600.

Example:
  plait backup /root/cluster.plait`;

const restoreHelp = `
The host must be a member of no cluster. It becomes the only manager; the other hosts join anew. Networks, reserved
addresses of endpoints, tokens and the list of nodes are as they were.

Example:
  plait restore --advertise-addr 192.0.2.9 /root/cluster.plait`;

export function addBackup(program: Command): void {
  program
    .command('backup')
    .summary('write the cluster to a file')
    .description('Write all that the cluster knows to a file. Runs on a manager.')
    .argument('<file>')
    .addHelpText('after', backupHelp)
    .action(async (file: string, _flags: object, command: Command) =>
      (await import('./actions/backup.js')).backupCluster(file, command),
    );
  program
    .command('restore')
    .summary('make a cluster of a backup, and this host its manager')
    .description('Make a cluster of a backup, and this host its manager.')
    .argument('<file>')
    .addOption(new Option('--name <name>', 'name of this node').default(hostname(), 'that of the host'))
    .addOption(memberAddressOption())
    .addOption(listenAddressOption())
    .addOption(dataPathAddressOption())
    .addOption(noAgentOption())
    .addHelpText('after', restoreHelp)
    .action(async (file: string, flags: RestoreFlags, command: Command) =>
      (await import('./actions/backup.js')).restoreCluster(file, flags, command),
    );
}
