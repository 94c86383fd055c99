/*
 * The ways that are compared, between two hosts in one lab:
 *
 *     k1c ── bridge, vxlan0       k1 ─┐ switch ┌─ k2       vxlan0, bridge ── k2c        kernel
 *                                 k1 ─┤        ├─ k2                                    bare
 *     benchn1 ── Plait            n1 ─┘        └─ n2       Plait ── benchn2             plait
 *
 * Every cable is a veth. With its offloads on it carries packets of up to 64 KB whole, which no NIC does; with TSO, GSO and GRO
 * off, each segment crosses it by itself, as with a NIC that knows nothing of tunnels.
 */

import { Job } from '../lab/exec.js';
import type { Lab } from '../lab/lab.js';
import { CLI } from '../lab/programs.js';
import { stateDir } from '../lab/topology.js';
import { waitFor } from '../lab/wait.js';
import { PlaitError } from '../model/errors.js';
import { run } from '../net/run.js';
import { askFarEnd } from './far-end.js';
import { buildKernelOverlay } from './kernel-overlay.js';
import type { Offloads, Variant } from './measure.js';
import { invocationIn } from './programs.js';
import type { Role, VariantInfo } from './result.js';
import type { Target, Workload } from './workloads.js';

export const LAB_VARIANTS = ['bare', 'kernel', 'plait'] as const;
export type LabVariant = (typeof LAB_VARIANTS)[number];

/** Names of the two hosts without an agent that a lab needs for `bare` and `kernel`. */
export const PLAIN_HOSTS = ['k1', 'k2'] as const;

const TITLES: Record<LabVariant, string> = { bare: 'host to host', kernel: 'kernel vxlan', plait: 'Plait' };
const START_TIMEOUT_MS = 20_000;

interface Route {
  client: string;
  server: string;
  address: string;
}

/** Builds what the variants need and starts the servers; `lab.down()` takes all of it away again. */
export async function setUpVariants(
  lab: Lab,
  wanted: readonly LabVariant[],
  workloads: readonly Workload[],
  processors: Target['processors'],
): Promise<Variant[]> {
  const variants: Variant[] = [];
  for (const id of wanted) {
    const route = await routeOf(lab, id);
    const info: VariantInfo = { id, title: TITLES[id], role: id satisfies Role };
    const target = { address: route.address, netns: lab.netns(route.client), processors };
    await serve(lab, route, target, workloads);
    variants.push({ info, target });
  }
  return variants;
}

function routeOf(lab: Lab, variant: LabVariant): Promise<Route> {
  switch (variant) {
    case 'bare':
      return Promise.resolve(bareRoute(lab));
    case 'kernel':
      return kernelRoute(lab);
    case 'plait':
      return plaitRoute(lab);
  }
}

function plainPair(lab: Lab): [Lab['plainHosts'][number], Lab['plainHosts'][number]] {
  const [near, far] = lab.plainHosts;
  if (near && far) return [near, far];
  throw new Error(`set up the comparison: the lab needs plain hosts ${PLAIN_HOSTS.join(' and ')}`);
}

function bareRoute(lab: Lab): Route {
  const [near, far] = plainPair(lab);
  return { client: near.name, server: far.name, address: far.address };
}

async function kernelRoute(lab: Lab): Promise<Route> {
  const [client, server] = await buildKernelOverlay(lab, plainPair(lab));
  if (!client || !server) throw new Error('set up the comparison: the kernel overlay has no members');
  return { client: client.container, server: server.container, address: server.address };
}

async function plaitRoute(lab: Lab): Promise<Route> {
  await lab.plait('n1', 'network create --subnet 10.78.0.0/24 bench');
  for (const node of ['n1', 'n2']) {
    const netns = await lab.addContainer(`bench${node}`);
    const address = `10.78.0.1${node.slice(1)}`;
    await lab.plait(node, `attach --network bench --name bench-${node} --ip ${address} ${netns}`);
  }
  return { client: 'benchn1', server: 'benchn2', address: '10.78.0.12' };
}

/** As a person would do it at the far end; it ends with the lab's namespaces. */
async function serve(lab: Lab, route: Route, target: Target, workloads: readonly Workload[]): Promise<void> {
  const ids = workloads.map(({ info }) => info.id).join(',');
  const argv = [process.execPath, CLI, 'bench', '--server', '--workload', ids];
  const place = { netns: lab.netns(route.server), cpu: target.processors?.servers };
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
