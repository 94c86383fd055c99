import type { Command } from 'commander';
import { addJsonOptions } from './options.js';

export interface ShowAuthorityFlags {
  readonly format: 'text' | 'json';
  readonly pem?: boolean;
}

export function addCa(program: Command): void {
  const ca = program
    .command('ca')
    .summary("show the cluster's certificate authority")
    .description("Show the cluster's certificate authority. Managers alone can.");
  const show = ca
    .command('show')
    .description('Print whom the nodes of this cluster trust.')
    .option('--pem', 'print the certificates')
    .action(async (flags: ShowAuthorityFlags, command: Command) =>
      (await import('./actions/ca.js')).showAuthority(flags, command),
    );
  addJsonOptions(show);
}
