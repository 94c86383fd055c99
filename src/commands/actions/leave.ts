import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { AgentUnreachable } from '../../client.js';
import { isEnabled } from '../../install/systemd.js';
import { UNIT } from '../../install/unit.js';
import type { LeaveAnswer } from '../../model/api.js';
import { PlaitError } from '../../model/errors.js';
import { pathsFor } from '../../model/paths.js';
import { say, warn } from '../../output/print.js';
import type { LeaveFlags } from '../leave.js';
import { clientOf, rootOf } from './common.js';

/** Thousands of interfaces take their time. Milliseconds. */
const answerMs = 300_000;
const endMs = 30_000;

export async function leave({ force = false }: LeaveFlags, command: Command): Promise<void> {
  const root = rootOf(command);
  const answer = await clientOf(command)
    .post<LeaveAnswer>('/v1/leave', { force }, answerMs)
    .catch((error) => {
      if (error instanceof AgentUnreachable && error.isAbsent) return undefined;
      throw error;
    });
  if (answer === undefined) await cleanAlone(root, force);
  else {
    for (const name of answer.detached) say(`detached ${name}`);
    answer.warnings.forEach(warn);
    await agentEnded(root);
  }
  if (root === undefined && (await isEnabled(UNIT))) {
    warn(`${UNIT} would start an agent again, as a new node, at the next boot: systemctl disable ${UNIT}`);
  }
}

/** Nobody knows whether etcd was told: it may be another host's agent that nobody started yet. */
async function cleanAlone(root: string | undefined, force: boolean): Promise<void> {
  if (!force) {
    throw new PlaitError('AGENT_UNREACHABLE', 'leave cluster: no agent is listening', {
      hint: 'start it, so that it can tell etcd; or clean this host alone with --force',
    });
  }
  const { cleanHostAlone, whatStays } = await import('../../agent/host-cleaning.js');
  const stay = await cleanHostAlone(pathsFor(root));
  if (stay !== undefined) warn(whatStays(stay));
}

/** It answers a moment before its socket and its lock are gone. */
async function agentEnded(root: string | undefined): Promise<void> {
  const { socket, state } = pathsFor(root);
  for (let waited = 0; waited < endMs; waited += 50) {
    if (!existsSync(socket) && !existsSync(join(state, 'agent.lock'))) return;
    await sleep(50);
  }
  warn(`the agent has left the cluster, and has not ended within ${endMs / 1000} s`);
}
