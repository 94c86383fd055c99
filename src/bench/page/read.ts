/* A result from a file: checked whole before anything is made of it. */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { PlaitError } from '../../model/errors.js';
import { machineSchema } from '../machine.js';
import { type BenchResult, RESULT_VERSION } from '../result.js';

const summary = z.looseObject({
  median: z.number(),
  min: z.number(),
  max: z.number(),
  samples: z.array(z.number()).min(1),
});

const ratio = z.number().nullable();

const measurement = z.looseObject({
  value: summary,
  cpu: summary,
  latency: z.looseObject({ p50: summary, p99: summary }).exactOptional(),
  stalledFlows: z.number().exactOptional(),
  ofBare: ratio,
  toKernel: ratio,
  cpuToKernel: ratio,
});

const variant = z.looseObject({
  id: z.string(),
  title: z.string(),
  role: z.enum(['bare', 'kernel', 'plait', 'docker', 'other']),
});

const workload = z.looseObject({
  id: z.string(),
  title: z.string(),
  group: z.enum(['stream', 'request', 'packets', 'application']),
  unit: z.string(),
  higherIsBetter: z.boolean(),
  cpuPer: z.string(),
  tool: z.string(),
});

const result = z.looseObject({
  version: z.literal(RESULT_VERSION),
  startedAt: z.string(),
  repetitions: z.number(),
  seconds: z.number(),
  topology: z.enum(['lab', 'hosts']),
  machines: z.array(machineSchema.loose()),
  underlay: z.looseObject({ driver: z.string(), mtu: z.number() }),
  variants: z.array(variant),
  workloads: z.array(workload),
  tables: z.array(
    z.looseObject({
      offloads: z.enum(['on', 'off', 'as found']),
      rows: z.array(z.looseObject({ workload: z.string(), results: z.record(z.string(), measurement) })),
    }),
  ),
}) satisfies z.ZodType<BenchResult>;

/** @throws PlaitError that names the file and the first field that is not as it should be */
export async function readResult(path: string): Promise<BenchResult> {
  const hint = 'give a file that `plait bench --json FILE` wrote';
  const text = await readFile(path, 'utf8').catch((cause: Error) => {
    throw new PlaitError('RESULT_UNREADABLE', `read result ${path}: ${cause.message}`, { hint, cause });
  });
  const parsed = result.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const cause = issue?.path.length ? `${issue.path.join('.')}: ${issue.message}` : 'it is no JSON object';
  throw new PlaitError('RESULT_INVALID', `read result ${path}: ${cause}`, { hint });
}

/** Nothing where it is no JSON, which no schema takes. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
