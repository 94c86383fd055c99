/* What `init` and `join` have in common: the addresses of this host, and its agent. */
import { fileURLToPath } from 'node:url';
import { type StartedAgent, startAgentOf } from '../../install/start-agent.js';
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
  const { advertiseAddr, listenAddr, dataPathAddr } = flags;
  const given = {
    '--advertise-addr': advertiseAddr,
    '--listen-addr': listenAddr,
    '--data-path-addr': dataPathAddr,
  };
  for (const [option, value] of Object.entries(given)) {
    if (value !== undefined) checkAddress(`option ${option}`, value);
  }
  const advertiseAddress = advertiseAddr ?? (await defaultAddress());
  return {
    advertiseAddress,
    listenAddress: listenAddr ?? advertiseAddress,
    dataPathAddress: dataPathAddr ?? advertiseAddress,
  };
}

export async function startAgent(root: string | undefined): Promise<void> {
  const { background }: StartedAgent = await startAgentOf(root, [process.execPath, CLI]);
  if (background === undefined) return;
  say(`the agent runs in the background, PID ${background.pid}, and logs to ${background.log}`);
  say('nothing starts it after a reboot: let the init of this machine run `plait agent`');
}
