import type { Command } from 'commander';
import { addJsonOptions } from './options.js';

export interface AuthorityFlags {
  readonly rotate?: boolean;
}

export interface ShowAuthorityFlags {
  readonly format: 'text' | 'json';
  readonly pem?: boolean;
}

export function addCa(program: Command): void {
  const ca = program
    .command('ca')
    .summary("show and change the cluster's certificate authority")
    .description("Show and change the cluster's certificate authority. Managers alone can.")
    .option(
      '--rotate',
      'make a new CA: every node gets a certificate of it, then the old one is dropped. Join tokens are new, too',
    )
    .action(async (flags: AuthorityFlags, command: Command) =>
      (await import('./actions/ca.js')).authority(flags, command),
    );
  const show = ca
    .command('show')
    .description('Print whom the nodes of this cluster trust.')
    .option('--pem', 'print the certificates')
    .action(async (flags: ShowAuthorityFlags, command: Command) =>
      (await import('./actions/ca.js')).showAuthority(flags, command),
    );
  addJsonOptions(show);
}
