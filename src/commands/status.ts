import type { Command } from 'commander';
import { addJsonOptions } from './options.js';

export interface StatusFlags {
  readonly format: 'text' | 'json';
}

export function addStatus(program: Command): void {
  const status = program
    .command('status')
    .summary('show how the agent and its datapath are')
    .description(
      'Show how the agent, its connection to etcd and its datapath are. Exit code 3: with warnings.',
    )
    .action(async (flags: StatusFlags, command: Command) =>
      (await import('./actions/status.js')).showStatus(flags, command),
    );
  addJsonOptions(status);

  const verify = program
    .command('verify')
    .summary('compare etcd with the maps of this host')
    .description(
      'Compare what etcd says with what is in the maps of this host. Exit code 1: they differ; 3: warnings only.',
    )
    .action(async (flags: StatusFlags, command: Command) =>
      (await import('./actions/status.js')).verify(flags, command),
    );
  addJsonOptions(verify);
}
