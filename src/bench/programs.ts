/* How the measuring programs are started: in which network namespace, on which processor, and that none outlives us. */
import { ExecFailed, type Invocation, Job } from '../lab/exec.js';
import { patience } from '../patience.js';

export interface Place {
  /** Path of the network namespace; without it, the one of this process. */
  netns?: string | undefined;
  /** Processor to run on; without it, the scheduler chooses. */
  cpu?: number | undefined;
}

/** How much longer than its measuring time a program may take to begin and to end. */
const GRACE_MS = 20_000;

/** The kernel ends the program when we end, however that happens. */
export function invocationIn({ netns, cpu }: Place, argv: readonly string[]): Invocation {
  const line = [
    ...['setpriv', '--pdeathsig', 'KILL', '--'],
    ...(netns === undefined ? [] : ['nsenter', `--net=${netns}`, '--']),
    ...(cpu === undefined ? [] : ['taskset', '-c', String(cpu)]),
    ...argv,
  ];
  const [file = '', ...args] = line;
  return { file, args, env: { ...process.env, LC_ALL: 'C' } };
}

/** Runs a program that measures for so many seconds, and returns what it printed. */
export async function runTool(place: Place, argv: readonly string[], seconds: number): Promise<string> {
  const job = new Job(invocationIn(place, argv), 1000 * seconds + patience(GRACE_MS));
  const outcome = await job.outcome;
  if (outcome.status !== 0) throw new ExecFailed(argv.join(' '), outcome);
  return outcome.stdout;
}
