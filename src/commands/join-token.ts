import { Argument, type Command } from 'commander';

export interface JoinTokenFlags {
  readonly rotate?: boolean;
  readonly quiet?: boolean;
}

export function addJoinToken(program: Command): void {
  program
    .command('join-token')
    .summary('print what other hosts type to join')
    .description('Print the line by which a host joins this cluster. Managers alone know it.')
    .addArgument(new Argument('<role>', 'what the host becomes').choices(['worker', 'manager']))
    .option('--rotate', 'make a new token first; the old one is worth nothing from then on')
    .option('-q, --quiet', 'print the token only')
    .action(async (role: 'worker' | 'manager', flags: JoinTokenFlags, command: Command) =>
      (await import('./actions/join-token.js')).joinToken(role, flags, command),
    );
}
