import type { Command } from 'commander';
import type { AgentFlags } from '../agent.js';
import { rootOf } from './common.js';
import { checkAddresses, checkName } from './values.js';

/** Where etcd listens when nobody told it otherwise. */
const DEFAULT_ETCD = ['http://127.0.0.1:2379'];

export async function runAgentCommand(flags: AgentFlags, command: Command): Promise<void> {
  checkName('option --name', flags.name);
  const advertiseAddress = flags.advertiseAddr;
  checkAddresses('--advertise-addr', advertiseAddress === undefined ? [] : [advertiseAddress]);
  const { runAgent } = await import('../../agent/main.js');
  await runAgent({
    root: rootOf(command),
    name: flags.name,
    advertiseAddress,
    etcd: flags.etcd ?? DEFAULT_ETCD,
    port: flags.port,
    logLevel: flags.logLevel,
    logFormat: flags.logFormat,
  });
}
