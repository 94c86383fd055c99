/* A whole run on this machine: a lab of its own, all variants, gone afterwards, also when it is interrupted. */
import { availableParallelism } from 'node:os';
import { Lab } from '../lab/lab.js';
import { LAB_VARIANTS, type LabVariant, PLAIN_HOSTS, setUpVariants, switchOffloads } from './lab-variants.js';
import { thisMachine, underlayOf } from './machine.js';
import { measure, type Offloads } from './measure.js';
import { type BenchResult, RESULT_VERSION } from './result.js';
import { SERVER_TOOLS } from './server-programs.js';
import { requireTools } from './tools.js';
import type { Target, Workload } from './workloads.js';

export interface LocalOptions {
  variants: readonly LabVariant[];
  workloads: readonly Workload[];
  repetitions: number;
  seconds: number;
  offloads: readonly ('on' | 'off')[];
  progress: (step: string) => void;
}

export async function runLocally(options: LocalOptions): Promise<BenchResult> {
  const { workloads } = options;
  requireTools(['ethtool', 'taskset', ...workloads.flatMap(toolsOf)]);
  const name = `bench${process.pid}`;
  const interrupt = (): void => void Lab.remove(name).finally(() => process.exit(130));
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  try {
    return await runInLab(name, options);
  } finally {
    await Lab.remove(name);
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  }
}

const toolsOf = ({ client, server }: Workload) => [client, SERVER_TOOLS[server]];

async function runInLab(name: string, options: LocalOptions): Promise<BenchResult> {
  const { variants: wanted, progress } = options;
  const startedAt = new Date().toISOString();
  const nodes = wanted.includes('plait') ? 2 : 0;
  const lab = await Lab.up({ name, nodes, plainHosts: [...PLAIN_HOSTS], progress });
  progress(`setting up ${wanted.join(', ')}`);
  return benchIn(lab, { ...options, startedAt });
}

/** In a lab that stands, with its two plain hosts and, for `plait`, two nodes. */
export async function benchIn(
  lab: Lab,
  options: LocalOptions & { startedAt?: string },
): Promise<BenchResult> {
  const { workloads, repetitions, seconds, offloads } = options;
  const wanted = LAB_VARIANTS.filter((variant) => options.variants.includes(variant));
  const variants = await setUpVariants(lab, wanted, workloads, sharedProcessors());
  const tables = await measure({
    ...{ variants, workloads, repetitions, seconds, offloads, progress: options.progress },
    switchOffloads: (to: Offloads) => switchOffloads(lab, to),
  });
  return {
    version: RESULT_VERSION,
    startedAt: options.startedAt ?? new Date().toISOString(),
    ...{ repetitions, seconds, topology: 'lab', machines: [thisMachine()] },
    underlay: await underlayOf('eth0', lab.netns(PLAIN_HOSTS[0])),
    variants: variants.map(({ info }) => info),
    workloads: workloads.map(({ info }) => info),
    tables,
  };
}

/** The last processor is the servers', the first the clients', when there are two. */
function sharedProcessors(): Target['processors'] {
  const count = availableParallelism();
  return count < 2 ? undefined : { servers: count - 1, clients: 0 };
}
