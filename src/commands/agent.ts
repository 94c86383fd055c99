import { hostname } from 'node:os';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { collectList, wholeNumber } from './options.js';

export interface AgentFlags {
  readonly name: string;
  readonly advertiseAddr?: string;
  readonly etcd?: readonly string[];
  readonly port: number;
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error';
  readonly logFormat: 'json' | 'text';
}

const help = `
Several agents fit on one machine: give each a --root, a --name and a network namespace of its own.

Example:
  plait agent --name n1 --advertise-addr 192.0.2.1 --etcd http://192.0.2.10:2379,http://192.0.2.11:2379`;

export function addAgent(program: Command): void {
  program
    .command('agent')
    .summary('run the agent of this host')
    .description('Run the agent of this host in the foreground: SIGTERM ends it, traffic goes on.')
    .option('--name <name>', 'name of this node', hostname())
    .option(
      '--advertise-addr <address>',
      "this host's address on the underlay (default: of the default route)",
    )
    .option(
      '--etcd <url>',
      'etcd member, repeatable or with commas (default: http://127.0.0.1:2379)',
      etcdUrls,
    )
    .option('--port <port>', 'UDP port for VXLAN, the same on all nodes', wholeNumber(1, 65535), 4789)
    .addOption(
      new Option('--log-level <level>').choices(['trace', 'debug', 'info', 'warn', 'error']).default('info'),
    )
    .addOption(new Option('--log-format <format>').choices(['json', 'text']).default('json'))
    .addHelpText('after', help)
    .action(async (flags: AgentFlags, command: Command) =>
      (await import('./actions/agent.js')).runAgentCommand(flags, command),
    );
}

function etcdUrls(value: string, before: readonly string[] = []): string[] {
  const urls = collectList(value, before);
  const isUrl = (url: string) => /^https?:\/\/[^/]+\/?$/.test(url);
  if (urls.length > 0 && urls.every(isUrl)) return urls;
  throw new InvalidArgumentError('Give http://HOST:PORT.');
}
