/* Programs that serve in a namespace while something is measured, and what the kernel has counted there. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { patience } from '../../../src/patience.js';
import { shIn } from './own-namespace.js';

const POLLS = 200;
const POLL_MS = 50;

/** Starts the command in the namespace, and does the work once it listens. */
export async function withServer<T>(
  netns: string,
  command: string,
  { protocol, port }: { protocol: 'tcp' | 'udp'; port: number },
  work: () => T,
): Promise<T> {
  const server = spawn('nsenter', [`--net=${netns}`, ...command.split(' ')], { stdio: 'ignore' });
  try {
    for (let left = POLLS; shIn(netns, `ss -Hln --${protocol} sport = :${port}`) === ''; left--) {
      assert.ok(left > 0, `${command} listens`);
      await sleep(patience(POLL_MS));
    }
    return work();
  } finally {
    if (server.exitCode === null) {
      server.kill('SIGKILL');
      await once(server, 'exit');
    }
  }
}

/** A counter of /proc/net/snmp or netstat in the namespace, by its name in nstat. */
export function counted(netns: string, counter: string): number {
  return Number(new RegExp(`${counter}\\s+(\\d+)`).exec(shIn(netns, `nstat -asz ${counter}`))?.[1]);
}
