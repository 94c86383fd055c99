import { type Command, Option } from 'commander';
import { addJsonOptions, wholeNumber } from './options.js';

export interface LabFlags {
  readonly lab: string;
}

export interface LabUpFlags extends LabFlags {
  readonly nodes: number;
  readonly managers: number;
}

export interface LabStatusFlags extends LabFlags {
  readonly format: 'text' | 'json';
}

const help = `
Example:
  plait lab up --nodes 3
  plait lab exec n1 -- plait network create app
  plait lab exec n1 -- plait attach --network app --name web1 plait-lab-c1
  plait lab down`;

export function addLab(program: Command): void {
  const lab = program
    .command('lab')
    .summary('several hosts on this machine, to try things on')
    .description('Hosts as network namespaces of this machine, on one underlay, members of one cluster.')
    .addHelpText('after', help);
  const named = () => new Option('--lab <name>', 'which lab, if there are several').default('lab');

  lab
    .command('up')
    .description('Build a lab.')
    .option('--nodes <count>', 'number of hosts', wholeNumber(1, 64), 3)
    .option('--managers <count>', 'how many of them are managers', wholeNumber(1, 7), 1)
    .addOption(named())
    .action(async (flags: LabUpFlags) => (await import('./actions/lab.js')).up(flags));
  lab
    .command('exec')
    .description('Run a program on a host of the lab or in a container; a shell if none is given.')
    .argument('<member>', 'n1, n2 … for hosts, c1, c2 … for containers')
    .argument('[command...]', 'program and arguments, after "--"')
    .addOption(named())
    .action(async (member: string, argv: string[], flags: LabFlags) =>
      (await import('./actions/lab.js')).exec(member, argv, flags),
    );
  const status = lab
    .command('status')
    .description('Show what the lab consists of and what runs.')
    .addOption(named())
    .action(async (flags: LabStatusFlags) => (await import('./actions/lab.js')).status(flags));
  addJsonOptions(status);
  lab
    .command('down')
    .description('Remove a lab and everything in it.')
    .addOption(named())
    .action(async (flags: LabFlags) => (await import('./actions/lab.js')).down(flags));
  lab
    .command('demo')
    .description('Build a lab, show on it that everything works, and remove it.')
    .action(async () => (await import('./actions/lab.js')).demo());
}
