/* What `init` and `join` have in common: the addresses of this host, and its agent. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { livingHolder } from '../../agent/lock.js';
import { type StartedAgent, startAgentOf } from '../../install/start-agent.js';
import { PlaitError } from '../../model/errors.js';
import { pathsFor } from '../../model/paths.js';
import { defaultAddress } from '../../net/default-address.js';
import { say } from '../../output/print.js';
import { checkAddress, checkName } from './values.js';

const CLI = fileURLToPath(new URL('../../cli.js', import.meta.url));

export interface MemberFlags {
  readonly name: string;
  readonly advertiseAddr?: string;
  readonly listenAddr?: string;
  readonly dataPathAddr?: string;
}

export interface MemberAddresses {
  readonly advertiseAddress: string;
  readonly listenAddress: string;
  readonly dataPathAddress: string;
}

export async function addressesOf(flags: MemberFlags): Promise<MemberAddresses> {
  checkName('option --name', flags.name);
  checkAddresses(flags);
  const { advertiseAddr, listenAddr, dataPathAddr } = flags;
  const advertiseAddress = advertiseAddr ?? (await defaultAddress());
  return {
    advertiseAddress,
    listenAddress: listenAddr ?? advertiseAddress,
    dataPathAddress: dataPathAddr ?? advertiseAddress,
  };
}

/** Of those that are given. */
export function checkAddresses({ advertiseAddr, listenAddr, dataPathAddr }: Omit<MemberFlags, 'name'>): void {
  const given = {
    '--advertise-addr': advertiseAddr,
    '--listen-addr': listenAddr,
    '--data-path-addr': dataPathAddr,
  };
  for (const [option, value] of Object.entries(given)) {
    if (value !== undefined) checkAddress(`option ${option}`, value);
  }
}

/** One that runs has made itself at home with another cluster, or with an etcd that it was told of. */
export async function refuseRunningAgent(doing: string, root: string | undefined): Promise<void> {
  const pid = await livingHolder(join(pathsFor(root).state, 'agent.lock'));
  if (pid === undefined) return;
  throw new PlaitError('AGENT_RUNNING', `${doing}: an agent runs on this host, PID ${pid}`, {
    hint: 'take the host out of where it is first: `plait leave`',
  });
}

export async function startAgent(root: string | undefined): Promise<void> {
  const { background }: StartedAgent = await startAgentOf(root, [process.execPath, CLI]);
  if (background === undefined) return;
  say(`the agent runs in the background, PID ${background.pid}, and logs to ${background.log}`);
  say('nothing starts it after a reboot: let the init of this machine run `plait agent`');
}
