// `npm run bench:vms`: host to host, the kernel's vxlan + bridge and Plait between two emulated machines over virtio
// NICs, by vagrant/compare.sh. Emulated processors are slow and not alike: only ratios of one run say anything, and
// only where nothing else wants the processors. (`echo -12 >/proc/self/autogroup` in the shell helps a little.)
//
//     node dist/test/kernels/compare.js [--kernel PACKAGE]... [--repetitions N] [--seconds N] [--cpus N] [--stats]

import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { exitOnSignals, scratchDirectory } from '../vm/ending.js';
import { kernelOf, rootDisk } from '../vm/images.js';
import { PACKAGES, type Pair, setUpPlait, startPair } from './two-vms-pair.js';
import { productDisk } from './two-vms-product.js';

const KERNELS = ['linux-image-cloud-amd64', 'linux-image-6.12-cloud-amd64'];
const WAYS = ['host', 'kernel', 'plait'] as const;
const TITLES: Record<string, string> = {
  tcp: 'TCP, one stream (Mbit/s)',
  udp: 'UDP 18 B, received (1000/s)',
  'ping-pong': 'TCP ping-pong, half a round trip, p50 (µs)',
};

export interface Compared {
  summary: string;
  medians: Record<string, number>;
  ranges: Record<string, [number, number]>;
  /** Plait's median in shares of each way's. */
  ratios: Record<string, number>;
}

export interface CompareOptions {
  repetitions: number;
  seconds: number;
  workloads?: string;
  /** Also print what each program cost per packet; measuring that costs some 30 ns a packet itself. */
  stats?: boolean;
  log: (line: string) => void;
}

/** Between the machines of a pair on which Plait is set up. */
export async function compare(pair: Pair, options: CompareOptions): Promise<Compared[]> {
  const { repetitions, seconds, workloads = 'tcp,udp,ping-pong', log } = options;
  const build = (one: number, other: number): string =>
    `compare build ${one} 192.0.2.${one} 192.0.2.${other}`;
  await Promise.all([pair.one.sh(build(1, 2)), pair.two.sh(build(2, 1))]);
  await pair.two.sh('compare serve host compare c2');
  const ways = `host=host=192.0.2.2 kernel=compare=10.77.0.2 plait=c1=${pair.two.address(4)}`;
  const found: Compared[] = [];
  if (options.stats) await onBoth(pair, 'sysctl -qw kernel.bpf_stats_enabled=1');
  await pair.one.stream(`compare run -r ${repetitions} -s ${seconds} -w ${workloads} ${ways}`, (line) => {
    if (line.startsWith('{"summary"')) found.push(JSON.parse(line) as Compared);
    else if (line.startsWith('{')) log(line);
  });
  if (options.stats) for (const text of await onBoth(pair, 'program_costs')) log(text);
  await onBoth(pair, 'compare remove');
  return found;
}

const onBoth = (pair: Pair, script: string): Promise<string[]> =>
  Promise.all(pair.both.map((guest) => guest.sh(script)));

export function table(rows: readonly Compared[]): string {
  const cell = (row: Compared, way: string): string => {
    const [low = 0, high = 0] = row.ranges[way] ?? [];
    return `${short(row.medians[way])} (${short(low)}–${short(high)})`;
  };
  const lines = rows.map((row) => {
    const cells = WAYS.map((way) => cell(row, way));
    return `| ${TITLES[row.summary]} | ${cells.join(' | ')} | ${row.ratios.kernel?.toFixed(2)} | ${row.ratios.host?.toFixed(2)} |`;
  });
  const head = '| | host to host | kernel vxlan + bridge | Plait | Plait / kernel | Plait / host |';
  return [head, '|---|---|---|---|---|---|', ...lines].join('\n');
}

const short = (value = 0): string => (value < 100 ? value.toPrecision(3) : value.toFixed(0));

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      kernel: { type: 'string', multiple: true, default: KERNELS },
      repetitions: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '3' },
      workloads: { type: 'string', default: 'tcp,udp,ping-pong' },
      cpus: { type: 'string', default: '1' },
      stats: { type: 'boolean', default: false },
    },
  });
  const log = (line: string): void => void process.stderr.write(`${line}\n`);
  const [repetitions, seconds] = [Number(values.repetitions), Number(values.seconds)];
  const { workloads, stats } = values;
  const directory = scratchDirectory('plait-compare-');
  exitOnSignals();
  const product = await productDisk(join(directory, 'product'));
  for (const name of values.kernel) {
    const kernel = await kernelOf(name);
    const root = await rootDisk({ kernel, packages: PACKAGES });
    const pair = await startPair({ kernel, root, product, cpus: Number(values.cpus), limitSeconds: 1800 });
    try {
      await setUpPlait(pair);
      const rows = await compare(pair, { repetitions, seconds, workloads, stats, log });
      console.log(
        `\nLinux ${kernel.version}, ${repetitions} repetitions of ${seconds} s, medians\n\n${table(rows)}`,
      );
    } finally {
      await pair.end();
    }
  }
}

if (process.argv[1] === import.meta.filename) await main();
