import { LAB_VARIANTS, type LabVariant } from '../../bench/lab-variants.js';
import { runLocally } from '../../bench/local-run.js';
import { readResult } from '../../bench/page/read.js';
import { prepareReports } from '../../bench/page/write.js';
import { formatResult } from '../../bench/report.js';
import type { BenchResult } from '../../bench/result.js';
import { startServers } from '../../bench/server.js';
import { runAsClient } from '../../bench/two-hosts.js';
import { WORKLOADS, type Workload } from '../../bench/workloads.js';
import { InvalidInput } from '../../model/errors.js';
import { print, printJson, say } from '../../output/print.js';
import type { BenchFlags } from '../bench.js';

export async function bench(flags: BenchFlags): Promise<void> {
  if (flags.server) return serve(chooseWorkloads(flags.workload));
  const { json, html, picture } = flags;
  const write = await prepareReports({ json: json === '-' ? undefined : json, html, picture });
  const result = flags.from === undefined ? await measure(flags) : await readResult(flags.from);
  if (json === '-') printJson(result);
  else print(formatResult(result));
  await write(result);
}

async function measure(flags: BenchFlags): Promise<BenchResult> {
  const workloads = chooseWorkloads(flags.workload);
  const quick = flags.quick ? { repetitions: 2, seconds: 1 } : {};
  const { repetitions, seconds } = { ...flags, ...quick };
  const common = { workloads, repetitions, seconds, progress: say };
  return flags.client
    ? await runAsClient({ ...common, workloads: betweenTwo(workloads, flags), targets: flags.client })
    : await runLocally({
        ...common,
        variants: chooseVariants(flags),
        offloads: flags.quick ? ['on'] : flags.offloads === 'both' ? ['on', 'off'] : [flags.offloads],
      });
}

/** Until a signal ends it. */
async function serve(workloads: readonly Workload[]): Promise<void> {
  const servers = await startServers([...new Set(workloads.map(({ server }) => server))]);
  const stopped = new Promise<void>((resolve) => {
    process.once('SIGINT', () => resolve()).once('SIGTERM', () => resolve());
  });
  say('plait bench: the servers listen; interrupt to end them');
  try {
    await Promise.race([stopped, servers.failure]);
  } finally {
    await servers.close();
  }
}

/** Without those that take a third host, unless they are asked for, which is refused. */
function betweenTwo(workloads: readonly Workload[], { workload: wanted }: BenchFlags): Workload[] {
  return workloads.filter(({ threeHosts, info }) => !threeHosts || wanted?.includes(info.id));
}

function chooseWorkloads(wanted: readonly string[] | undefined): Workload[] {
  const known = WORKLOADS.map(({ info }) => info.id);
  refuseUnknown('workload', wanted ?? [], known);
  return WORKLOADS.filter(({ info }) => wanted?.includes(info.id) ?? true);
}

/** Docker's daemons are started only where somebody wants them. */
function chooseVariants({ variant: named, docker }: BenchFlags): LabVariant[] {
  refuseUnknown('variant', named ?? [], LAB_VARIANTS);
  const wanted = named ?? LAB_VARIANTS.filter((variant) => variant !== 'docker');
  return LAB_VARIANTS.filter((variant) => wanted.includes(variant) || (docker && variant === 'docker'));
}

function refuseUnknown(what: string, wanted: readonly string[], known: readonly string[]): void {
  const unknown = wanted.filter((id) => !known.includes(id));
  if (unknown.length === 0) return;
  throw new InvalidInput(
    `choose ${what} ${unknown.join(', ')}: no such ${what}`,
    `there are ${known.join(', ')}`,
  );
}
