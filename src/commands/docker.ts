import { type Command, Option } from 'commander';
import { dockerHostOption } from './agent.js';

export interface DockerFlags {
  readonly dockerHost: string;
  readonly socket?: string;
}

const help = `
A swarm takes network drivers from managed plugins alone; \`docker run\` and compose need none. Do this once on each host of the
swarm, with its agent running with --docker. Then, on any host:

  plait network create --swarm app
  docker service create --network app ...`;

export function addDocker(program: Command): void {
  const docker = program
    .command('docker')
    .summary('make Plait a driver of the Docker Swarm on this host')
    .description('Make Plait a network driver of the Docker Swarm on this host.')
    .addHelpText('after', help);
  docker
    .command('install')
    .description('Make and enable the managed plugin `plait`, which hands Docker to the agent.')
    .addOption(dockerHostOption())
    .addOption(
      new Option(
        '--socket <path>',
        "the agent's, as in its --docker (default: /run/docker/plugins/plait.sock)",
      ).env('PLAIT_DOCKER_PLUGIN'),
    )
    .action(async (flags: DockerFlags) => (await import('./actions/docker.js')).install(flags));
  docker
    .command('uninstall')
    .description('Remove the managed plugin; networks and containers stay.')
    .addOption(dockerHostOption())
    .action(async (flags: DockerFlags) => (await import('./actions/docker.js')).uninstall(flags));
}
