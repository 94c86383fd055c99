import { type Command, InvalidArgumentError, Option } from 'commander';
import { XDP_OPTIONS, type XdpOption } from '../datapath/xdp-choice.js';
import type { LinkMode } from '../net/netkit.js';
import { collectList, wholeNumber } from './options.js';

export interface AgentFlags {
  readonly name?: string;
  readonly advertiseAddr?: string;
  readonly etcd?: readonly string[];
  readonly port?: number;
  readonly socketGroup?: string;
  readonly xdp: XdpOption;
  readonly xdpDeliverOnVeth?: boolean;
  readonly docker?: string | true;
  readonly dockerHost: string;
  readonly link: LinkMode;
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error';
  readonly logFormat: 'json' | 'text';
}

const ENGINE_SOCKET = '/var/run/docker.sock';

const help = `
Several agents fit on one machine: give each a --root, a --name and a network namespace of its own.

Example:
  plait agent --name n1 --advertise-addr 192.0.2.1 --etcd http://192.0.2.10:2379,http://192.0.2.11:2379`;

export function addAgent(program: Command): void {
  forgetEmptyVariables();
  program
    .command('agent')
    .summary('run the agent of this host')
    .description('Run the agent of this host in the foreground: SIGTERM ends it, traffic goes on.')
    .addOption(nameOption())
    .addOption(addressOption())
    .addOption(etcdOption())
    .addOption(portOption())
    .addOption(socketGroupOption())
    .addOption(dockerOption())
    .addOption(dockerHostOption())
    .addOption(xdpOption().default('auto'))
    .addOption(deliverOnVethOption())
    .addOption(linkOption().default('veth'))
    .addOption(levelOption().default('info'))
    .addOption(
      new Option('--log-format <format>').choices(['json', 'text']).default('json').env('PLAIT_LOG_FORMAT'),
    )
    .addHelpText('after', help)
    .action(async (flags: AgentFlags, command: Command) =>
      (await import('./actions/agent.js')).runAgentCommand(flags, command),
    );
}

/* The options that are settings of the service, too (install/settings.ts). A flag wins over its variable. */

export function nameOption(): Option {
  return new Option('--name <name>', 'name of this node (default: that of the host)').env('PLAIT_NAME');
}

export function addressOption(): Option {
  const description = "this host's address on the underlay (default: of the default route)";
  return new Option('--advertise-addr <address>', description).env('PLAIT_ADVERTISE_ADDR');
}

export function etcdOption(): Option {
  const description = 'etcd member, repeatable or with commas (default: http://127.0.0.1:2379)';
  return new Option('--etcd <url>', description).argParser(etcdUrls).env('PLAIT_ETCD');
}

export function portOption(): Option {
  const description = 'UDP port for VXLAN, the same on all nodes (default: 4789)';
  return new Option('--port <port>', description).argParser(wholeNumber(1, 65535)).env('PLAIT_PORT');
}

export function socketGroupOption(): Option {
  const description =
    'group of this host that may use the agent, too: its members rule the networks as root does';
  return new Option('--socket-group <group>', description).env('PLAIT_SOCKET_GROUP');
}

export function dockerOption(): Option {
  const description =
    'be a network driver of the Docker on this host (default: /run/docker/plugins/plait.sock)';
  return new Option('--docker [socket]', description).env('PLAIT_DOCKER_PLUGIN');
}

export function dockerHostOption(): Option {
  const description = 'where that Docker answers, whose list of networks is kept in step';
  return new Option('--docker-host <socket>', description)
    .argParser(unixSocket)
    .default(ENGINE_SOCKET)
    .env('PLAIT_DOCKER_HOST');
}

/** A path, or as DOCKER_HOST has it. */
function unixSocket(text: string): string {
  const path = text.replace(/^unix:\/\//, '');
  if (path.startsWith('/')) return path;
  throw new InvalidArgumentError('give the path of a unix socket, or unix:///PATH.');
}

export function xdpOption(): Option {
  const description =
    'drop bad VXLAN on the underlay device by XDP; auto: where the driver can and nothing else suffers; deliver: deliver by it, too';
  return new Option('--xdp <mode>', description).choices(XDP_OPTIONS).env('PLAIT_XDP');
}

/** For tests and benchmarks: right only where every sender's checksum offload is off. */
function deliverOnVethOption(): Option {
  return new Option('--xdp-deliver-on-veth').env('PLAIT_XDP_DELIVER_ON_VETH').hideHelp();
}

export function linkOption(): Option {
  const description = 'devices of new endpoints; auto: netkit where kernel and `ip` have it';
  return new Option('--link <kind>', description).choices(['auto', 'veth', 'netkit']).env('PLAIT_LINK');
}

export function levelOption(): Option {
  const levels = ['trace', 'debug', 'info', 'warn', 'error'];
  return new Option('--log-level <level>').choices(levels).env('PLAIT_LOG_LEVEL');
}

/** `PLAIT_NAME=` in a file of settings means that there is none. */
function forgetEmptyVariables(): void {
  for (const [variable, value] of Object.entries(process.env)) {
    if (variable.startsWith('PLAIT_') && value === '') delete process.env[variable];
  }
}

function etcdUrls(value: string, before: readonly string[] = []): string[] {
  const urls = collectList(value, before);
  const isUrl = (url: string) => /^https?:\/\/[^/]+\/?$/.test(url);
  if (urls.length > 0 && urls.every(isUrl)) return urls;
  throw new InvalidArgumentError('Give http://HOST:PORT.');
}
