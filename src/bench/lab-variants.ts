/*
 * The ways that are compared, between hosts of one lab:
 *
 *     k1c ── bridge, vxlan0       k1 ─┐ switch ┌─ k2       vxlan0, bridge ── k2c        kernel
 *                                 k1 ─┤        ├─ k2                                    bare
 *     container ── Docker         d1 ─┤        ├─ d2       Docker ── container          docker
 *     benchn1 ── Plait            n1 ─┘        └─ n2       Plait ── benchn2             plait
 *
 * with k3, d3 and n3 below k1, d1 and n1 where a workload has two clients. Every cable is a veth. With its offloads on it carries
 * packets of up to 64 KB whole, which no NIC does; with TSO, GSO and GRO off, each segment crosses it by itself, as with a NIC that
 * knows nothing of tunnels.
 */
import { Job } from '../lab/exec.js';
import type { Lab } from '../lab/lab.js';
import { CLI } from '../lab/programs.js';
import { type Host, stateDir } from '../lab/topology.js';
import { waitFor } from '../lab/wait.js';
import { PlaitError } from '../model/errors.js';
import { run } from '../net/run.js';
import { DockerOverlay } from './docker-overlay.js';
import { askFarEnd } from './far-end.js';
import { buildKernelOverlay } from './kernel-overlay.js';
import type { Offloads, Variant } from './measure.js';
import { invocationIn } from './programs.js';
import type { Role, VariantInfo } from './result.js';
import type { Target, Workload } from './workloads.js';

export const LAB_VARIANTS = ['bare', 'kernel', 'docker', 'plait'] as const;
export type LabVariant = (typeof LAB_VARIANTS)[number];

/** Names of the two hosts without an agent that a lab needs for `bare` and `kernel`. */
export const PLAIN_HOSTS = ['k1', 'k2'] as const;

const TITLES: Record<LabVariant, string> = {
  bare: 'host to host',
  kernel: 'kernel vxlan',
  docker: 'Docker',
  plait: 'Plait',
};
const START_TIMEOUT_MS = 20_000;

/** Paths of network namespaces, and the server's address. */
interface Route {
  client: string;
  /** On a third host; missing where the lab has none. */
  secondClient?: string | undefined;
  server: string;
  address: string;
}

export interface SetUpOptions {
  variants: readonly LabVariant[];
  workloads: readonly Workload[];
  processors: Target['processors'];
  /** Told of what must be closed before the lab goes, as soon as it is opened. */
  onOpen?: (close: () => Promise<void>) => void;
}

/** The lab that these variants and workloads take. */
export function labFor(
  variants: readonly LabVariant[],
  workloads: readonly Workload[],
): { nodes: number; plainHosts: string[] } {
  const numbers = workloads.some(({ threeHosts }) => threeHosts) ? [1, 2, 3] : [1, 2];
  const kinds = variants.includes('docker') ? ['k', 'd'] : ['k'];
  return {
    nodes: variants.includes('plait') ? numbers.length : 0,
    plainHosts: kinds.flatMap((kind) => numbers.map((number) => kind + number)),
  };
}

/** Builds what the variants need and starts the servers; `lab.down()` takes it away again. */
export async function setUpVariants(lab: Lab, options: SetUpOptions): Promise<Variant[]> {
  const { variants: wanted, workloads, processors } = options;
  const variants: Variant[] = [];
  for (const id of wanted) {
    const route = await routeOf(lab, id, options);
    const info: VariantInfo = { id, title: TITLES[id], role: id satisfies Role };
    const { client: netns, secondClient: secondNetns, address } = route;
    const target = { address, netns, secondNetns, processors };
    await serve(lab, route, target, workloads);
    variants.push({ info, target });
  }
  return variants;
}

function routeOf(lab: Lab, variant: LabVariant, { onOpen }: SetUpOptions): Promise<Route> {
  switch (variant) {
    case 'bare':
      return Promise.resolve(
        routeAlong(hostsOf(lab, 'k').map(({ name, address }) => ({ netns: lab.netns(name), address }))),
      );
    case 'kernel':
      return kernelRoute(lab);
    case 'docker':
      return dockerRoute(lab, onOpen);
    case 'plait':
      return plaitRoute(lab);
  }
}

/** Plain hosts by the first letter of their names. */
const hostsOf = (lab: Lab, letter: string): Host[] =>
  lab.plainHosts.filter(({ name }) => name.startsWith(letter));

function routeAlong(members: readonly { netns: string; address: string }[]): Route {
  const [client, server, second] = members;
  if (!client || !server) throw new Error('set up the comparison: the lab has too few hosts, see labFor');
  return { client: client.netns, server: server.netns, address: server.address, secondClient: second?.netns };
}

async function kernelRoute(lab: Lab): Promise<Route> {
  const members = await buildKernelOverlay(lab, hostsOf(lab, 'k'));
  return routeAlong(members.map(({ container, address }) => ({ netns: lab.netns(container), address })));
}

async function dockerRoute(lab: Lab, onOpen: SetUpOptions['onOpen']): Promise<Route> {
  const overlay = new DockerOverlay(lab);
  onOpen?.(() => overlay.close());
  return routeAlong(await overlay.build(hostsOf(lab, 'd')));
}

async function plaitRoute(lab: Lab): Promise<Route> {
  await lab.plait('n1', 'network create --subnet 10.78.0.0/24 bench');
  const members = [];
  for (const number of hostsOf(lab, 'k').map((_, index) => index + 1)) {
    const netns = await lab.addContainer(`benchn${number}`);
    const address = `10.78.0.1${number}`;
    await lab.plait(`n${number}`, `attach --network bench --name bench-n${number} --ip ${address} ${netns}`);
    members.push({ netns, address });
  }
  return routeAlong(members);
}

/** As a person would do it at the far end; it ends with the lab's namespaces. */
async function serve(lab: Lab, route: Route, target: Target, workloads: readonly Workload[]): Promise<void> {
  const ids = workloads.map(({ info }) => info.id).join(',');
  const argv = [process.execPath, CLI, 'bench', '--server', '--workload', ids];
  const place = { netns: route.server, cpu: target.processors?.servers };
  const invocation = invocationIn(place, argv);
  invocation.env.TMPDIR = stateDir(lab.spec.name); // goes with the lab, however the servers end
  lab.transcript.push(`${route.server}# plait bench --server --workload ${ids} &\n`);
  const job = new Job(invocation);
  await waitFor(
    `the servers of ${route.server} to answer at ${route.address}`,
    async () => {
      if (!job.isRunning) throw new Error(`start servers: ${(await job.outcome).stderr.trim()}`);
      return askFarEnd(target).then(
        () => true,
        (error: unknown) => {
          if (error instanceof PlaitError && error.isTransient) return false;
          throw error;
        },
      );
    },
    START_TIMEOUT_MS,
  );
}

/** Of all cables of the lab, at both ends. */
export async function switchOffloads(lab: Lab, to: Offloads): Promise<void> {
  if (to === 'as found') return;
  const hosts = [...lab.nodes, ...lab.plainHosts];
  const ends = hosts.flatMap((host) => [
    { device: 'eth0', member: host.name },
    { device: host.name, member: 'underlay' },
  ]);
  for (const { device, member } of ends) {
    const setting = ['tso', to, 'gso', to, 'gro', to];
    const doing = `switch offloads of ${member}'s ${device}`;
    await run('ethtool', ['-K', device, ...setting], { doing, netns: lab.netns(member) });
  }
}
