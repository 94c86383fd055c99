import type { Command } from 'commander';
import type { ListOptions } from '../output/list.js';
import type { InspectFlags } from './node.js';
import {
  addInspectOptions,
  addListOptions,
  collect,
  collectList,
  collectPairs,
  macAddress,
} from './options.js';

export interface AttachFlags {
  readonly network: string;
  readonly name?: string;
  readonly ifname?: string;
  readonly ip?: string[];
  readonly mac?: string;
  readonly alias?: string[];
  readonly label?: Record<string, string>;
}

export interface DeclareFlags {
  readonly network?: string;
  readonly name?: string;
  readonly vtep?: string;
  readonly mac?: string;
  readonly ip?: string[];
  readonly alias?: string[];
  readonly label?: Record<string, string>;
  readonly file?: string;
}

const attachHelp = `
The namespace is the path of a network namespace, pid:N for that of a process, or a name as in \`ip netns\`.

Examples:
  plait attach --network app --name web1 /run/netns/c1
  plait attach --network app --name web2 --ip 10.10.0.7 --alias web pid:1234`;

const declareHelp = `
A host that speaks VXLAN without an agent (a kernel vxlan device with static entries, a switch) is a full peer once
its endpoints are declared. A file holds an array of objects with these fields; "-" is stdin:
  [{"network": "app", "name": "h1", "vtep": "192.0.2.9", "mac": "02:00:00:00:00:01", "ip": ["10.10.0.9"]}]

Example:
  plait endpoint add --network app --name h1 --vtep 192.0.2.9 --mac 02:00:00:00:00:01 --ip 10.10.0.9`;

const REF = 'name, id or unique prefix of an id';

export function addEndpoint(program: Command): void {
  addAttach(program);
  const endpoint = program
    .command('endpoint')
    .summary('show endpoints, declare those without an agent')
    .description('Show endpoints; declare those without an agent.');

  const list = endpoint
    .command('ls')
    .alias('list')
    .description('List the endpoints of the networks that are live here.')
    .option('--network <network>', 'of this network, live here or not')
    .action(async (flags: ListOptions & { network?: string }, command: Command) =>
      (await import('./actions/endpoint.js')).listEndpoints(flags, command),
    );
  addListOptions(list, ['id', 'name', 'network', 'node', 'ip', 'mac', 'label', 'local']);

  const inspect = endpoint
    .command('inspect')
    .description('Print endpoints as a JSON array.')
    .argument('<endpoint...>', REF)
    .action(async (refs: string[], flags: InspectFlags, command: Command) =>
      (await import('./actions/endpoint.js')).inspectEndpoints(refs, flags, command),
    );
  addInspectOptions(inspect);

  addDeclare(endpoint);
  endpoint
    .command('rm')
    .alias('remove')
    .description('Remove endpoints, declared or attached.')
    .argument('<endpoint...>', REF)
    .action(async (refs: string[], _flags: object, command: Command) =>
      (await import('./actions/endpoint.js')).removeEndpoints(refs, command),
    );
}

function addAttach(program: Command): void {
  program
    .command('attach')
    .summary('connect a network namespace to a network')
    .description('Connect a network namespace to a network and print the id of the endpoint.')
    .argument('<namespace>', 'path, pid:N or name of a network namespace')
    .requiredOption('--network <network>', 'network to connect it to')
    .option('--name <name>', "name of the endpoint (default: the namespace's)")
    .option('--ifname <name>', 'name of the interface inside (default: eth0)')
    .option('--ip <address>', 'address, one per IP version (default: a free one)', collectList)
    .option('--mac <mac>', 'MAC address (default: a random one)', macAddress)
    .option('--alias <name>', 'further name, repeatable', collect)
    .option('--label <key=value>', 'label, repeatable', collectPairs)
    .addHelpText('after', attachHelp)
    .action(async (namespace: string, flags: AttachFlags, command: Command) =>
      (await import('./actions/endpoint.js')).attach(namespace, flags, command),
    );
  program
    .command('detach')
    .summary('undo attach')
    .description('Remove endpoints, and their interfaces from the namespaces.')
    .argument('<endpoint...>', REF)
    .action(async (refs: string[], _flags: object, command: Command) =>
      (await import('./actions/endpoint.js')).removeEndpoints(refs, command),
    );
}

function addDeclare(endpoint: Command): void {
  endpoint
    .command('add')
    .description('Declare an endpoint behind a VTEP that has no agent, and print its id.')
    .option('--network <network>', 'network that it is on')
    .option('--name <name>', 'name of the endpoint')
    .option('--vtep <address>', "the host's address on the underlay")
    .option('--mac <mac>', 'MAC address', macAddress)
    .option('--ip <address>', 'address, repeatable', collectList)
    .option('--alias <name>', 'further name, repeatable', collect)
    .option('--label <key=value>', 'label, repeatable', collectPairs)
    .option('--file <file>', 'declare many, from a JSON file ("-": stdin), instead of the above')
    .addHelpText('after', declareHelp)
    .action(async (flags: DeclareFlags, command: Command) =>
      (await import('./actions/declare.js')).declareEndpoints(flags, command),
    );
}
