import type { Command } from 'commander';
import { PLUGIN_SOCKET } from '../../docker/plugin.js';
import type { AgentFlags } from '../agent.js';
import { rootOf } from './common.js';
import { checkAddress, checkName } from './values.js';

export async function runAgentCommand(flags: AgentFlags, command: Command): Promise<void> {
  checkAgentFlags(flags, command);
  const { runAgent } = await import('../../agent/main.js');
  await runAgent({
    root: rootOf(command),
    node: {
      name: flags.name,
      advertiseAddress: flags.advertiseAddr,
      etcd: flags.etcd,
      port: flags.port,
    },
    socketGroup: flags.socketGroup,
    xdp: flags.xdp,
    docker: flags.docker
      ? { plugin: flags.docker === true ? PLUGIN_SOCKET : flags.docker, engine: flags.dockerHost }
      : undefined,
    deliverOnVeth: flags.xdpDeliverOnVeth ?? false,
    link: flags.link,
    logLevel: flags.logLevel,
    logFormat: flags.logFormat,
  });
}

/** What commander cannot judge; tells a flag from the variable that stands for it. */
export function checkAgentFlags(
  { name, advertiseAddr }: Partial<Pick<AgentFlags, 'name' | 'advertiseAddr'>>,
  command: Command,
): void {
  const isVariable = (key: string) => command.getOptionValueSource(key) === 'env';
  if (name !== undefined) checkName(isVariable('name') ? 'variable PLAIT_NAME' : 'option --name', name);
  if (advertiseAddr === undefined) return;
  const what = isVariable('advertiseAddr') ? 'variable PLAIT_ADVERTISE_ADDR' : 'option --advertise-addr';
  checkAddress(what, advertiseAddr);
}
