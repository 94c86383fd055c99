// Traffic that must not notice what happens meanwhile.

import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import type { Lab } from '../../../src/lab/lab.js';

/** Packets a second. */
const RATE = 1000;

/** Sends echo requests at a fixed rate during an action; each that stays without its reply is a lost packet. */
export async function losesNothing(
  lab: Lab,
  from: string,
  address: string,
  action: () => Promise<void>,
): Promise<void> {
  const ping = lab.start(from, `ping -n -q -i ${1 / RATE} ${address}`);
  await sleep(500); // packets before the fault
  try {
    await action();
  } catch (error) {
    await ping.stop('SIGINT');
    throw error;
  }
  await sleep(500); // and after it
  const { stdout } = await ping.stop('SIGINT');
  const [sent, received, seconds] = counts(stdout);
  console.log(`NOTE ${received} of ${sent} packets in ${seconds.toFixed(1)} s`);
  assert.ok(sent > RATE * seconds * 0.3, `the rate was near: ${sent} packets in ${seconds} s`);
  // The last request may have been on its way when ping was stopped.
  assert.ok(sent - received <= 1, `${sent - received} of ${sent} packets were lost`);
}

function counts(output: string): [sent: number, received: number, seconds: number] {
  const match = /(\d+) packets transmitted, (\d+) received.* time (\d+)ms/.exec(output);
  assert.ok(match, `ping printed its summary: ${output}`);
  return [Number(match[1]), Number(match[2]), Number(match[3]) / 1000];
}
