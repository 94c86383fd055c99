// One kernel of the matrix: a machine boots it, probes it and runs the test files in it, with the runner that runs them
// everywhere else.

import { appendFileSync } from 'node:fs';
import type { RunReport } from '../runner/report.js';
import type { Kernel } from '../vm/images.js';
import { Vm, type VmOptions } from '../vm/vm.js';

/** How much slower than on the machine itself things may be; see README. */
const TIME_FACTOR = 20;
/** Spoilt packets per program; natively it is four times as many. */
const FUZZ = 1000;
const MEMORY_MB = 1200;

/** Of the tests; iproute2 and the like are of Debian 12, as on the nodes. */
export const PACKAGES = [
  ...['bpftool', 'ca-certificates', 'curl', 'dnsutils', 'etcd-client', 'etcd-server', 'ethtool', 'fish'],
  ...['iperf3', 'iproute2', 'iputils-ping', 'jq', 'libbpf1', 'libelf1', 'libstdc++6', 'netcat-openbsd'],
  ...['nftables', 'procps', 'python3-minimal', 'sockperf', 'tcpdump', 'tshark', 'util-linux', 'zlib1g'],
];

export interface GuestJob {
  /** The kernel's name in the matrix. */
  name: string;
  kernel: Kernel;
  root: string;
  job: string;
  /** For test/run.ts. */
  args: readonly string[];
  limitSeconds: number;
  log: string;
}

export interface GuestOutcome {
  /** Probed in the guest. */
  features: Record<string, boolean>;
  report: RunReport;
}

export function machine({
  name,
  kernel,
  root,
  job,
  limitSeconds,
}: Omit<GuestJob, 'args' | 'log'>): VmOptions {
  return { name, kernel, root, disks: { job }, memoryMb: MEMORY_MB, limitSeconds };
}

/** Boots, runs, ends. Whatever goes wrong with the machine is an error; tests that fail are counted. */
export async function runInGuest(options: GuestJob): Promise<GuestOutcome> {
  const vm = await Vm.boot(machine(options));
  try {
    const features = await probe(vm);
    const arguments_ = options.args.map((arg) => `'${arg}'`).join(' ');
    const command = `${ENTER} && node dist/test/run.js --json /run/report.json ${arguments_} 2>&1`;
    const { stdout } = await vm.run(command, (line) => appendFileSync(options.log, `${line}\n`));
    const { stdout: report } = await vm.run('cat /run/report.json');
    if (report === '') throw new Error(`run tests in ${options.name}: no report; ${lastLines(stdout)}`);
    return { features, report: JSON.parse(report) as RunReport };
  } finally {
    appendFileSync(options.log, `──── console\n${vm.console()}`);
    await vm.end();
  }
}

/** What is set here for tests is set in the machine, too. */
const given = Object.entries(process.env).filter(([name]) => /^PLAIT_(TEST_\w+|FUZZ|LINK)$/.test(name));

/** What the tests find in their environment; also for a person at the machine's console. */
export const ENTER = [
  'export PATH=/media/job/bin:$PATH',
  `export PLAIT_TEST_TIME_FACTOR=${TIME_FACTOR} PLAIT_TEST_OBJECTS=/media/job/objects PLAIT_FUZZ=${FUZZ}`,
  ...given.map(([name, value]) => `export ${name}='${value}'`),
  'cd /media/job/tree',
].join(' && ');

async function probe(vm: Vm): Promise<Record<string, boolean>> {
  const script = `
    import { features } from 'libbpf-ts-bindings';
    console.log(JSON.stringify(Object.fromEntries(Object.entries(features).map(([name, has]) => [name, has()]))));`;
  const answer = await vm.sh(`${ENTER} && node --input-type=module -e "${script}"`);
  return JSON.parse(answer) as Record<string, boolean>;
}

const lastLines = (text: string): string => text.trimEnd().split('\n').slice(-5).join(' · ');
