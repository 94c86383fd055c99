/* Questions to the far end of a measurement, asked over the way that is measured. */
import path from 'node:path';
import { z } from 'zod';
import { Job } from '../lab/exec.js';
import { PlaitError } from '../model/errors.js';
import { patience } from '../patience.js';
import { countersSchema } from './counters.js';
import { machineSchema } from './machine.js';
import { CONTROL_PORT } from './ports.js';
import { invocationIn } from './programs.js';
import { SERVER_NAMES } from './server-programs.js';
import type { Target } from './workloads.js';

const PROGRAM = path.join(import.meta.dirname, 'ask-server.js');
const TIMEOUT_MS = 10_000;

const answerSchema = z.object({
  machine: machineSchema,
  counters: countersSchema,
  servers: z.array(z.enum(SERVER_NAMES)),
});
export type FarEnd = z.infer<typeof answerSchema>;

export async function askFarEnd({ address, netns }: Target): Promise<FarEnd> {
  const argv = [process.execPath, PROGRAM, address, String(CONTROL_PORT)];
  const { status, stdout, stderr } = await new Job(invocationIn({ netns }, argv), patience(TIMEOUT_MS))
    .outcome;
  if (status !== 0) {
    throw new PlaitError(
      'SERVER_UNREACHABLE',
      `reach the servers at ${address}: ${stderr.trim() || 'no answer'}`,
      {
        isTransient: true,
        hint: `run \`plait bench --server\` there; it listens at TCP port ${CONTROL_PORT} and those after it`,
      },
    );
  }
  return answerSchema.parse(JSON.parse(stdout));
}
