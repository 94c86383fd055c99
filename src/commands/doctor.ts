import type { Command } from 'commander';
import { addJsonOptions } from './options.js';

export interface DoctorFlags {
  readonly format: 'text' | 'json';
}

const help = `
Looks from this host: agent, kernel, certificates, managers and clocks, etcd, other nodes (UDP of VXLAN, MTU), maps. Exit
code 1 where something is at fault, 3 where there are only warnings.`;

export function addDoctor(program: Command): void {
  const doctor = program
    .command('doctor')
    .summary('find what is wrong, and how to mend it')
    .description('Find what is wrong with Plait on this host, and how to mend it.')
    .addHelpText('after', help)
    .action(async (flags: DoctorFlags, command: Command) =>
      (await import('./actions/doctor.js')).doctor(flags, command),
    );
  addJsonOptions(doctor);
}
