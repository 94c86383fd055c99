import { hostname } from 'node:os';
import { type Command, Option } from 'commander';
import { dataPathAddressOption, listenAddressOption, memberAddressOption, noAgentOption } from './init.js';

export interface JoinFlags {
  readonly token?: string;
  readonly tokenFile?: string;
  readonly name: string;
  readonly advertiseAddr?: string;
  readonly listenAddr?: string;
  readonly dataPathAddr?: string;
  /** False with --no-agent. */
  readonly agent: boolean;
}

const help = `
The token says whether this host becomes a worker or a manager; \`plait join-token worker\` on a manager prints the line.
Before anything is said to the manager, its certificate authority is compared with the digest in the token.

Example:
  plait join --token PLAIT-1-… 192.0.2.1:2377`;

export function addJoin(program: Command): void {
  program
    .command('join')
    .summary('make this host a member of a cluster')
    .description('Make this host a member of a cluster.')
    .argument('<manager...>', 'HOST[:PORT] of managers; the first that answers is asked')
    .addOption(new Option('--token <token>', 'join token of the cluster').env('PLAIT_TOKEN'))
    .addOption(
      new Option(
        '--token-file <file>',
        'file that holds the token, so that `ps` does not show it; - is stdin',
      ).conflicts('token'),
    )
    .addOption(new Option('--name <name>', 'name of this node').default(hostname(), 'that of the host'))
    .addOption(memberAddressOption())
    .addOption(listenAddressOption())
    .addOption(dataPathAddressOption())
    .addOption(noAgentOption())
    .addHelpText('after', help)
    .action(async (managers: string[], flags: JoinFlags, command: Command) =>
      (await import('./actions/join.js')).join(managers, flags, command),
    );
}
