import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { installService, removeService } from '../../install/service.js';
import { pathsFor } from '../../model/paths.js';
import { UsageError } from '../../output/errors.js';
import { warn } from '../../output/print.js';
import type { ServiceFlags } from '../service.js';
import { checkAgentFlags } from './agent.js';
import { rootOf } from './common.js';

const CLI = fileURLToPath(new URL('../../cli.js', import.meta.url));

export async function install(flags: ServiceFlags, command: Command): Promise<void> {
  refuseRoot(command);
  checkAgentFlags(flags, command);
  await installService([process.execPath, CLI], {
    PLAIT_NAME: flags.name,
    PLAIT_ADVERTISE_ADDR: flags.advertiseAddr,
    PLAIT_ETCD: flags.etcd?.join(','),
    PLAIT_PORT: flags.port?.toString(),
    PLAIT_SOCKET_GROUP: flags.socketGroup,
    PLAIT_XDP: flags.xdp,
    PLAIT_LINK: flags.link,
    PLAIT_LOG_LEVEL: flags.logLevel,
  });
}

export async function uninstall(command: Command): Promise<void> {
  refuseRoot(command);
  await removeService();
  if (existsSync(pathsFor().state)) {
    warn('programs, devices and state of the agent stay on this host; `plait leave --force` takes them off');
  }
}

function refuseRoot(command: Command): void {
  if (rootOf(command) === undefined) return;
  throw new UsageError(
    'option --root: the service is that of the whole host',
    'leave out --root and PLAIT_ROOT',
  );
}
