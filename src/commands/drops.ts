import type { Command } from 'commander';
import { addJsonOptions } from './options.js';

export interface DropsFlags {
  readonly follow?: boolean;
  readonly all?: boolean;
  readonly format: 'text' | 'json';
}

export function addDrops(program: Command): void {
  const drops = program
    .command('drops')
    .summary('show what the datapath dropped, and why')
    .description(
      'Show what the datapath dropped since it was loaded, by reason. --follow prints drops as they happen, sampled.',
    )
    .option('-f, --follow', 'print drops as they happen, until interrupted')
    .option('-a, --all', 'include reasons that never occurred')
    .action(async (flags: DropsFlags, command: Command) =>
      (await import('./actions/drops.js')).showDrops(flags, command),
    );
  addJsonOptions(drops);
}
