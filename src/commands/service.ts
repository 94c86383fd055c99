import type { Command } from 'commander';
import {
  addressOption,
  etcdOption,
  levelOption,
  linkOption,
  nameOption,
  portOption,
  socketGroupOption,
  xdpOption,
} from './agent.js';

export interface ServiceFlags {
  readonly name?: string;
  readonly advertiseAddr?: string;
  readonly etcd?: readonly string[];
  readonly port?: number;
  readonly socketGroup?: string;
  readonly xdp?: string;
  readonly link?: string;
  readonly logLevel?: string;
}

const help = `
For installations by npm; the Debian package brings its own unit. Settings go to /etc/default/plait; installing again
changes those that are given and keeps the others.

Example:
  plait service install --name n1 --advertise-addr 192.0.2.1 --etcd http://192.0.2.10:2379`;

export function addService(program: Command): void {
  const service = program
    .command('service')
    .summary('run the agent as a service of systemd')
    .description('Let systemd run the agent of this host.');
  service
    .command('install')
    .description('Write plait.service and its settings, enable it and start it.')
    .addOption(nameOption())
    .addOption(addressOption())
    .addOption(etcdOption())
    .addOption(portOption())
    .addOption(socketGroupOption())
    .addOption(xdpOption())
    .addOption(linkOption())
    .addOption(levelOption())
    .addHelpText('after', help)
    .action(async (flags: ServiceFlags, command: Command) =>
      (await import('./actions/service.js')).install(flags, command),
    );
  service
    .command('uninstall')
    .description(
      'Stop the service, and remove the unit and its settings. Traffic goes on until `plait leave`.',
    )
    .action(async (_flags: object, command: Command) =>
      (await import('./actions/service.js')).uninstall(command),
    );
}
