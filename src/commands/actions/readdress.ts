import type { Command } from 'commander';
import { applyReaddress, planReaddress } from '../../cluster/readdress.js';
import { stopAgentOf } from '../../install/start-agent.js';
import { pathsFor } from '../../model/paths.js';
import { UsageError } from '../../output/errors.js';
import { print } from '../../output/print.js';
import type { ReaddressFlags } from '../readdress.js';
import { rootOf } from './common.js';
import { checkAddresses, startAgent } from './enter.js';

/** The agent ends only when nothing stands in the way any more. */
export async function readdress(flags: ReaddressFlags, command: Command): Promise<void> {
  const { advertiseAddr, listenAddr, dataPathAddr, manager, agent } = flags;
  checkAddresses(flags);
  if ([manager, advertiseAddr, listenAddr, dataPathAddr].every((value) => value === undefined)) {
    throw new UsageError('option --advertise-addr: it is missing, and no other address is given');
  }
  const root = rootOf(command);
  const paths = pathsFor(root);
  const after = await planReaddress(paths, {
    advertiseAddress: advertiseAddr,
    listenAddress: listenAddr,
    dataPathAddress: dataPathAddr,
    managers: manager,
  });
  await stopAgentOf(root);
  await applyReaddress(paths, after);
  if (agent) await startAgent(root);
  const when = agent ? '' : ', as soon as `plait agent` runs';
  const { advertiseAddress, dataPathAddress } = after;
  const vtep = dataPathAddress === advertiseAddress ? '' : `, VTEP ${dataPathAddress}`;
  print(`This host tells the cluster that it is at ${advertiseAddress}${vtep}${when}.`);
}
