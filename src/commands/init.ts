import { hostname } from 'node:os';
import { type Command, Option } from 'commander';
import { collectList, duration, wholeNumber } from './options.js';

export interface InitFlags {
  readonly name: string;
  readonly advertiseAddr?: string;
  readonly listenAddr?: string;
  readonly dataPathAddr?: string;
  readonly dataPathPort: number;
  readonly defaultAddrPool?: readonly string[];
  readonly defaultAddrPoolMaskLength: number;
  /** Seconds. */
  readonly certExpiry: number;
  readonly externalEtcd?: readonly string[];
  readonly etcdCa?: string;
  readonly etcdCert?: string;
  readonly etcdKey?: string;
  readonly forceNewCluster?: boolean;
  /** False with --no-agent. */
  readonly agent: boolean;
}

const help = `
Makes the certificate authority of the cluster and this host its first manager: etcd runs here, a child of the agent.
The agent is started, by systemd where systemd runs the machine, and what other hosts type to join is printed.

Example:
  plait init --advertise-addr 192.0.2.1
  plait init --external-etcd https://192.0.2.10:2379 --etcd-ca ca.crt --etcd-cert plait.crt --etcd-key plait.key`;

export function addInit(program: Command): void {
  program
    .command('init')
    .summary('make a cluster, and this host its first manager')
    .description('Make a cluster, and this host its first manager.')
    .addOption(new Option('--name <name>', 'name of this node').default(hostname(), 'that of the host'))
    .addOption(memberAddressOption())
    .addOption(listenAddressOption())
    .addOption(dataPathAddressOption())
    .addOption(
      new Option('--data-path-port <port>', 'UDP port for VXLAN, for all nodes')
        .argParser(wholeNumber(1, 65535))
        .default(4789),
    )
    .addOption(
      new Option(
        '--default-addr-pool <subnet>',
        'choose subnets of networks from here, repeatable',
      ).argParser(collectList),
    )
    .addOption(
      new Option('--default-addr-pool-mask-length <bits>', 'prefix length of subnets that are chosen')
        .argParser(wholeNumber(16, 29))
        .default(24),
    )
    .addOption(
      new Option('--cert-expiry <duration>', 'life of the certificates of nodes, as in 90d, 36h, 2m')
        .argParser(duration(120, 10 * 365 * 86_400))
        .default(90 * 86_400, '90d'),
    )
    .addOption(
      new Option(
        '--external-etcd <url>',
        'run no etcd on managers: use this one, repeatable or with commas',
      ).argParser(collectList),
    )
    .option('--etcd-ca <file>', 'certificates of those who may be that etcd (PEM)')
    .option('--etcd-cert <file>', 'certificate that managers show it (PEM)')
    .option('--etcd-key <file>', 'its key (PEM)')
    .option(
      '--force-new-cluster',
      'on a manager whose fellows are lost for good: go on alone, with all that the cluster knows',
    )
    .addOption(noAgentOption())
    .addHelpText('after', help)
    .action(async (flags: InitFlags, command: Command) =>
      (await import('./actions/init.js')).init(flags, command),
    );
}

/* Options that `join` has, too. */

export function memberAddressOption(): Option {
  const description = 'where other nodes reach this one (default: the address of the default route)';
  return new Option('--advertise-addr <address>', description);
}

export function listenAddressOption(): Option {
  const description = 'where a manager listens on TCP 2377 and 2380 (default: --advertise-addr)';
  return new Option('--listen-addr <address>', description);
}

export function dataPathAddressOption(): Option {
  const description = "this host's address for VXLAN (default: --advertise-addr)";
  return new Option('--data-path-addr <address>', description);
}

export function noAgentOption(): Option {
  return new Option('--no-agent', 'do not start the agent: something else runs `plait agent`');
}
