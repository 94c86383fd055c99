import { resolve } from 'node:path';
import type { Command } from 'commander';
import { backUp, restore } from '../../cluster/backup.js';
import { refuseMember } from '../../cluster/found.js';
import { pathsFor } from '../../model/paths.js';
import { print } from '../../output/print.js';
import type { RestoreFlags } from '../backup.js';
import { rootOf } from './common.js';
import { addressesOf, refuseRunningAgent, startAgent } from './enter.js';

export async function backupCluster(file: string, command: Command): Promise<void> {
  const { cluster, size } = await backUp(pathsFor(rootOf(command)), resolve(file));
  print(`${file}: cluster ${cluster}, ${size} bytes. Keep it as the key of the cluster that it is.`);
}

export async function restoreCluster(file: string, flags: RestoreFlags, command: Command): Promise<void> {
  const root = rootOf(command);
  const addresses = await addressesOf(flags);
  await refuseMember('restore cluster', pathsFor(root).state);
  await refuseRunningAgent('restore cluster', root);
  const node = await restore(pathsFor(root), resolve(file), { name: flags.name, ...addresses });
  if (flags.agent) await startAgent(root);
  const when = flags.agent ? '' : ', as soon as `plait agent` runs';
  print(`This host is the manager of the restored cluster as node ${node}${when}. Other hosts join it anew.`);
}
