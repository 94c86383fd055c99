import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import type { Command } from 'commander';
import { enterCluster } from '../../cluster/enter.js';
import { refuseMember } from '../../cluster/found.js';
import { pathsFor } from '../../model/paths.js';
import { UsageError } from '../../output/errors.js';
import { print } from '../../output/print.js';
import type { JoinFlags } from '../join.js';
import { rootOf } from './common.js';
import { addressesOf, refuseRunningAgent, startAgent } from './enter.js';

export async function join(managers: string[], flags: JoinFlags, command: Command): Promise<void> {
  const root = rootOf(command);
  const addresses = await addressesOf(flags);
  await refuseMember('join cluster', pathsFor(root).state);
  await refuseRunningAgent('join cluster', root);
  const token = await tokenOf(flags);
  const { node, role } = await enterCluster(pathsFor(root), {
    token,
    managers,
    name: flags.name,
    ...addresses,
  });
  if (flags.agent) await startAgent(root);
  const when = flags.agent ? '' : ', as soon as `plait agent` runs';
  print(`This host is a ${role} of the cluster as node ${node}${when}.`);
}

async function tokenOf({ token, tokenFile }: JoinFlags): Promise<string> {
  if (token !== undefined) return token;
  if (tokenFile === undefined) {
    throw new UsageError(
      'option --token: it is missing',
      '`plait join-token worker` on a manager prints the line',
    );
  }
  try {
    return await (tokenFile === '-' ? text(process.stdin) : readFile(tokenFile, 'utf8'));
  } catch (error) {
    throw new UsageError(`read ${tokenFile}: ${(error as NodeJS.ErrnoException).code ?? error}`);
  }
}
