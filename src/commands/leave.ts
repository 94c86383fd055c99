import type { Command } from 'commander';

export interface LeaveFlags {
  readonly force?: boolean;
}

const help = `
The node's record goes out of etcd; programs, maps, devices, the firewall table and the agent's state go off the host,
its settings are put back, and the agent ends. Endpoints that are still attached lose their interfaces, with --force.
Where no agent runs, --force cleans the host and tells what etcd still holds. What is done already is fine.`;

export function addLeave(program: Command): void {
  program
    .command('leave')
    .summary('take this host out of the cluster, and Plait off it')
    .description('Take this host out of the cluster, and everything of Plait off the host.')
    .option('-f, --force', 'also with endpoints attached, without etcd, or without an agent')
    .addHelpText('after', help)
    .action(async (flags: LeaveFlags, command: Command) =>
      (await import('./actions/leave.js')).leave(flags, command),
    );
}
