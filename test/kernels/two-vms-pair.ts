// Two machines of one kernel with virtio NICs on one underlay, made ready for the scenario: etcd in the first, an agent
// and a container in each, a network with both IP versions.
//
//     machine 1: 192.0.2.1, 2001:db8::1                       machine 2: 192.0.2.2, 2001:db8::2
//     c1: 10.10.0.11, fd10:10::11 (web1)                      c2: 10.10.0.12, fd10:10::12 (web2)
//     etcd · agent n1 ── eth0, 4 queue pairs ── tap ── bridge ── tap ── eth0, 1 queue pair ── agent n2
//
// The taps carry offloads (vnet_hdr), so that aggregates and packets in pages really arrive. The first NIC has twice as
// many queue pairs as its machine has processors, which is what native XDP wants for lockless transmission; the
// second has one, where it must do without.

import type { Kernel } from '../vm/images.js';
import { VmNetwork } from '../vm/nics.js';
import { Vm } from '../vm/vm.js';

const MEMORY_MB = 600;
const LIMIT_SECONDS = 420;
const PRELUDE = '. /media/plait/guest.sh; ';

export interface PairOptions {
  kernel: Kernel;
  /** A root disk with PACKAGES. */
  root: string;
  /** The disk of `productDisk`. */
  product: string;
  /** Processors of each machine. */
  cpus?: number;
  limitSeconds?: number;
}

/** What the guests need besides the product. */
export const PACKAGES = [
  ...['iproute2', 'nftables', 'procps', 'util-linux', 'etcd-server', 'libbpf1', 'libelf1', 'zlib1g'],
  ...['iperf3', 'sockperf', 'ethtool', 'iputils-ping', 'curl', 'jq', 'netcat-openbsd', 'tcpdump', 'bpftool'],
];

export type Counters = Readonly<Record<string, number>>;

export class Guest {
  constructor(
    readonly vm: Vm,
    readonly number: 1 | 2,
  ) {}

  readonly address = (family: 4 | 6): string =>
    family === 4 ? `10.10.0.1${this.number}` : `fd10:10::1${this.number}`;
  readonly underlay = (family: 4 | 6): string =>
    family === 4 ? `192.0.2.${this.number}` : `2001:db8::${this.number}`;

  /** Runs bash with the functions of two-vms-guest.sh; it must succeed. */
  sh(script: string): Promise<string> {
    return this.vm.sh(`${PRELUDE}set -euo pipefail; ${script}`);
  }

  /** As `sh`; each line of the output is told when it comes. */
  async stream(script: string, onLine: (line: string) => void): Promise<void> {
    const { status, stderr } = await this.vm.run(`${PRELUDE}set -euo pipefail; ${script}`, onLine);
    if (status !== 0) throw new Error(`run ${script} in ${this.vm.name}: exit code ${status}: ${stderr}`);
  }

  /** What failed is told apart by exit status. */
  async try(script: string): Promise<{ status: number; output: string }> {
    const { status, stdout, stderr } = await this.vm.run(`${PRELUDE}${script}`);
    return { status, output: stdout + stderr };
  }

  async json<T>(script: string): Promise<T> {
    return JSON.parse(await this.sh(script)) as T;
  }

  async counters(): Promise<Counters> {
    const lines = (await this.sh('counters')).split('\n');
    return Object.fromEntries(lines.map((line) => [line.split(' ')[0], Number(line.split(' ')[1])]));
  }

  /** By how much the counters grew while `action` ran; those that did not are left out. */
  async growth(action: () => Promise<unknown>): Promise<Counters> {
    const before = await this.counters();
    await action();
    const after = Object.entries(await this.counters());
    const grown = after.map(([name, count]) => [name, count - (before[name] ?? 0)] as const);
    return Object.fromEntries(grown.filter(([, count]) => count !== 0));
  }
}

export interface Pair {
  readonly one: Guest;
  readonly two: Guest;
  readonly both: readonly [Guest, Guest];
  /** IP version of the underlay that the agents use. */
  underlay: 4 | 6;
  end(): Promise<void>;
}

export async function startPair(options: PairOptions): Promise<Pair> {
  const { kernel, root, product, cpus = 1, limitSeconds = LIMIT_SECONDS } = options;
  const network = await VmNetwork.create(`plait-vms-${process.pid}-${kernel.version}`);
  const started: Vm[] = [];
  const end = async (): Promise<void> => {
    await Promise.all(started.map((vm) => vm.end()));
    await network.close();
  };
  const boot = async (number: 1 | 2, queues: number): Promise<Guest> => {
    const nics = [await network.tap({ queues, mac: `52:54:00:00:02:0${number}` })];
    const machine = { name: `machine${number}`, kernel, root, disks: { plait: product }, limitSeconds };
    const vm = await Vm.boot({ ...machine, cpus, memoryMb: MEMORY_MB, nics, netns: network.path });
    started.push(vm);
    return new Guest(vm, number);
  };
  try {
    const [one, two] = await settled(boot(1, 2 * cpus), boot(2, 1));
    return { one, two, both: [one, two], underlay: 4, end };
  } catch (error) {
    await end();
    throw error;
  }
}

/** As Promise.all, but nobody is left running when one fails. */
async function settled<A, B>(a: Promise<A>, b: Promise<B>): Promise<[A, B]> {
  await Promise.allSettled([a, b]);
  return Promise.all([a, b]);
}

/** etcd, agents, the network, one container on each machine. */
export async function setUpPlait(pair: Pair): Promise<void> {
  await Promise.all(pair.both.map((guest) => guest.sh(`set_up ${guest.number}`)));
  await pair.one.sh('start_etcd');
  await startAgents(pair);
  const network = { name: 'app', subnets: ['10.10.0.0/24', 'fd10:10::/64'] };
  await pair.one.sh(`api POST /v1/networks '${JSON.stringify(network)}'`);
  await Promise.all(pair.both.map((guest) => guest.sh(`attach ${guest.number}`)));
}

export async function startAgents(pair: Pair): Promise<void> {
  const start = (guest: Guest): Promise<string> =>
    guest.sh(`start_agent ${guest.number} ${guest.underlay(pair.underlay)}`);
  await Promise.all(pair.both.map(start));
}
