/* A whole run on this machine: a lab of its own, all variants, gone afterwards, also when it is interrupted. */
import { availableParallelism } from 'node:os';
import { Lab } from '../lab/lab.js';
import {
  LAB_VARIANTS,
  type LabVariant,
  labFor,
  PLAIN_HOSTS,
  type SetUpOptions,
  setUpVariants,
  switchOffloads,
} from './lab-variants.js';
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

interface InLabOptions extends LocalOptions {
  startedAt?: string;
  onOpen?: NonNullable<SetUpOptions['onOpen']>;
}

export async function runLocally(options: LocalOptions): Promise<BenchResult> {
  const { variants, workloads } = options;
  requireTools(['ethtool', 'taskset', ...workloads.flatMap(toolsOf)]);
  if (variants.includes('docker')) requireTools(['dockerd']);
  const name = `bench${process.pid}`;
  const opened: (() => Promise<void>)[] = [];
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closed ??= (async () => {
      for (const one of opened) await one();
      await Lab.remove(name);
    })();
    return closed;
  };
  const result = runInLab(name, { ...options, onOpen: (one) => opened.push(one) });
  const interrupt = async (): Promise<void> => {
    await close();
    await result.catch(() => {}); // a step that was under way has lost its ground now and ends
    await Lab.remove(name);
    process.exit(130);
  };
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  try {
    return await result;
  } finally {
    await close();
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  }
}

const toolsOf = ({ client, server }: Workload) => [client, SERVER_TOOLS[server]];

async function runInLab(name: string, options: InLabOptions): Promise<BenchResult> {
  const { variants, workloads, progress } = options;
  const startedAt = new Date().toISOString();
  const lab = await Lab.up({ name, ...labFor(variants, workloads), progress });
  progress(`setting up ${variants.join(', ')}`);
  return benchIn(lab, { ...options, startedAt });
}

/** In a lab that stands, with what `labFor` says. */
export async function benchIn(lab: Lab, options: InLabOptions): Promise<BenchResult> {
  const { workloads, repetitions, seconds, offloads, progress, onOpen } = options;
  const wanted = LAB_VARIANTS.filter((variant) => options.variants.includes(variant));
  const processors = sharedProcessors();
  const setUp = { variants: wanted, workloads, processors };
  const variants = await setUpVariants(lab, onOpen ? { ...setUp, onOpen } : setUp);
  const tables = await measure({
    ...{ variants, workloads, repetitions, seconds, offloads, progress },
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

/** The last processor is the servers', the first the clients'; where there is one, it is the same. */
const sharedProcessors = (): Target['processors'] => ({ servers: availableParallelism() - 1, clients: 0 });
