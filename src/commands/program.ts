/* The tree of commands. Each noun declares its own; here is what they share. */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { addAgent } from './agent.js';
import { addBackup } from './backup.js';
import { addBench } from './bench.js';
import { addCa } from './ca.js';
import { addCompletion } from './completion.js';
import { addDocker } from './docker.js';
import { addDoctor } from './doctor.js';
import { addDrops } from './drops.js';
import { addEndpoint } from './endpoint.js';
import { addInit } from './init.js';
import { addJoin } from './join.js';
import { addJoinToken } from './join-token.js';
import { addLab } from './lab.js';
import { addLeave } from './leave.js';
import { addMap } from './map.js';
import { addNetwork } from './network.js';
import { addNode } from './node.js';
import { addReaddress } from './readdress.js';
import { addService } from './service.js';
import { addStatus } from './status.js';

const epilogue = `
Examples:
  plait agent --name n1 --advertise-addr 192.0.2.1 --etcd http://192.0.2.10:2379
  plait network create --subnet 10.10.0.0/24 app
  plait attach --network app --name web1 /run/netns/c1
  plait endpoint ls --filter network=app --format json
  plait map dump fdb --vni 4096

Names: wherever a network, an endpoint or a node is meant, its name, its id or a unique prefix of its id will do.
Data goes to stdout, messages to stderr. NO_COLOR is respected.

Exit codes:
  0  ok
  1  failed; one line on stderr says what and why
  2  the command line is wrong
  3  nothing failed, but there are warnings (status, verify)`;

export function buildProgram(): Command {
  const program = new Command('plait')
    .description('Container overlay networks: VXLAN in eBPF.')
    .version(`plait ${packageVersion()}`, '-v, --version', 'print the version')
    .option('--root <dir>', "the agent's root directory, if not the system's (default: $PLAIT_ROOT)")
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help for a command')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'plait: ')) })
    .addHelpText('after', epilogue)
    .exitOverride();

  addInit(program);
  addJoin(program);
  addJoinToken(program);
  addAgent(program);
  addStatus(program);
  addNode(program);
  addCa(program);
  addBackup(program);
  addNetwork(program);
  addEndpoint(program);
  addDocker(program);
  addMap(program);
  addDoctor(program);
  addDrops(program);
  addReaddress(program);
  addLeave(program);
  addService(program);
  addLab(program);
  addBench(program);
  addCompletion(program);
  pointToHelp(program, []);
  return program;
}

/** After a usage error: where the right usage stands. */
function pointToHelp(command: Command, path: readonly string[]): void {
  const here = [...path, command.name()];
  command.showHelpAfterError(`hint: see \`${here.join(' ')} --help\``);
  for (const child of command.commands) pointToHelp(child, here);
}

function packageVersion(): string {
  const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
