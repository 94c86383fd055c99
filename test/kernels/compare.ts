// `npm run bench:vms`: `plait bench` between two emulated machines over virtio NICs: host to host, the kernel's vxlan +
// bridge (vagrant/compare.sh) and Plait. Emulated processors are slow and not alike: only ratios of one run say anything,
// and only where nothing else wants the processors. (`echo -12 >/proc/self/autogroup` in the shell helps a little.)
//
//     node dist/test/kernels/compare.js [--kernel PACKAGE]... [--repetitions N] [--seconds N] [--workload ID]... [--cpus N] [--stats]

import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { formatResult } from '../../src/bench/report.js';
import type { BenchResult } from '../../src/bench/result.js';
import { exitOnSignals, scratchDirectory } from '../vm/ending.js';
import { kernelOf, rootDisk } from '../vm/images.js';
import { PACKAGES, type Pair, setUpPlait, startPair } from './two-vms-pair.js';
import { productDisk } from './two-vms-product.js';

const KERNELS = ['linux-image-cloud-amd64', 'linux-image-6.12-cloud-amd64'];
/** What a machine with the packages of PACKAGES can measure, and an emulated one in reasonable time. */
const WORKLOADS = ['tcp-stream', 'tcp-rr', 'udp-64'];

interface CompareOptions {
  repetitions: number;
  seconds: number;
  workloads: readonly string[];
  /** Also print what each program cost per packet; measuring that costs some 30 ns a packet itself. */
  stats: boolean;
  log: (line: string) => void;
}

/** Between the machines of a pair on which Plait is set up. */
async function compare(pair: Pair, options: CompareOptions): Promise<BenchResult> {
  const { repetitions, seconds, workloads, stats, log } = options;
  const build = (one: number, other: number): string =>
    `compare build ${one} 192.0.2.${one} 192.0.2.${other}`;
  await Promise.all([pair.one.sh(build(1, 2)), pair.two.sh(build(2, 1))]);
  await pair.two.sh(`compare serve ${workloads.join(',')} host compare c2`);
  if (stats) await onBoth(pair, 'sysctl -qw kernel.bpf_stats_enabled=1');
  const ways = ['bare=192.0.2.2', 'kernel=10.77.0.2@compare', `plait=${pair.two.address(4)}@c1`];
  const line = [
    `plait bench --json - --repetitions ${repetitions} --seconds ${seconds}`,
    ...workloads.map((workload) => `--workload ${workload}`),
    ...ways.map((way) => `--client ${way}`),
  ].join(' ');
  const result = await pair.one.json<BenchResult>(line);
  if (stats) for (const text of await onBoth(pair, 'program_costs')) log(text);
  await onBoth(pair, 'compare remove');
  return result;
}

const onBoth = (pair: Pair, script: string): Promise<string[]> =>
  Promise.all(pair.both.map((guest) => guest.sh(script)));

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      kernel: { type: 'string', multiple: true, default: KERNELS },
      repetitions: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '3' },
      workload: { type: 'string', multiple: true, default: WORKLOADS },
      cpus: { type: 'string', default: '1' },
      stats: { type: 'boolean', default: false },
    },
  });
  const log = (line: string): void => void process.stderr.write(`${line}\n`);
  const [repetitions, seconds] = [Number(values.repetitions), Number(values.seconds)];
  const { workload: workloads, stats } = values;
  const directory = scratchDirectory('plait-compare-');
  exitOnSignals();
  const product = await productDisk(join(directory, 'product'));
  for (const name of values.kernel) {
    const kernel = await kernelOf(name);
    const root = await rootDisk({ kernel, packages: PACKAGES });
    const pair = await startPair({ kernel, root, product, cpus: Number(values.cpus), limitSeconds: 1800 });
    try {
      await setUpPlait(pair);
      const result = await compare(pair, { repetitions, seconds, workloads, stats, log });
      console.log(`\nLinux ${kernel.version}\n\n${formatResult(result)}`);
    } finally {
      await pair.end();
    }
  }
}

if (process.argv[1] === import.meta.filename) await main();
