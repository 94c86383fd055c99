/*
 * The baseline: an overlay network as Docker's own driver builds it. A namespace per network and host holds a
 * bridge, the vxlan device (born in the host, so that its socket stays there) and the containers' host ends; FDB
 * and neighbour entries are static, nothing is learned.
 */
import type { Lab } from '../lab/lab.js';
import type { Host } from '../lab/topology.js';
import { ipBatch } from '../net/ip.js';
import { run } from '../net/run.js';

const VNI = 4097;
const PORT = 4789;
/** Outer Ethernet, IPv4, UDP, VXLAN without the inner Ethernet header that the MTU does not count: 50 in all. */
const OVERHEAD = 50;

export interface OverlayMember {
  host: Host;
  /** Lab member that is the container. */
  container: string;
  address: string;
}

interface Plan extends OverlayMember {
  sandbox: string;
  mac: string;
  mtu: number;
}

/** Builds the overlay over two hosts without an agent and returns one container on each. */
export async function buildKernelOverlay(lab: Lab, hosts: readonly Host[]): Promise<OverlayMember[]> {
  const plans = hosts.map((host, index) => ({
    host,
    sandbox: `${host.name}net`,
    container: `${host.name}c`,
    address: `10.77.0.${index + 2}`,
    mac: `02:00:00:77:00:0${index + 2}`,
    mtu: lab.spec.mtu - OVERHEAD,
  }));
  for (const plan of plans) await buildMember(lab, plan, plans);
  return plans;
}

async function buildMember(lab: Lab, plan: Plan, all: readonly Plan[]): Promise<void> {
  const doing = `build the kernel overlay on ${plan.host.name}`;
  const sandbox = await lab.addContainer(plan.sandbox);
  const container = await lab.addContainer(plan.container);
  const others = all.filter((other) => other !== plan);
  await run('ip', vxlanArguments(plan, sandbox), { doing, netns: lab.netns(plan.host.name) });
  await ipBatch(
    [
      `link add br0 mtu ${plan.mtu} type bridge mcast_snooping 0`,
      `link set vxlan0 mtu ${plan.mtu} master br0 up`,
      `link add veth0 mtu ${plan.mtu} type veth peer name eth0 mtu ${plan.mtu} address ${plan.mac} netns ${container}`,
      'link set veth0 master br0 up',
      'link set br0 up',
      ...others.map((other) => `neighbour add ${other.address} lladdr ${other.mac} dev vxlan0 nud permanent`),
    ],
    { doing, netns: sandbox },
  );
  for (const other of others) {
    const entry = [other.mac, 'dev', 'vxlan0', 'dst', other.host.address, 'self', 'permanent'];
    await run('bridge', ['fdb', 'add', ...entry], { doing, netns: sandbox });
  }
  await ipBatch([`address add ${plan.address}/24 dev eth0`, 'link set eth0 up'], { doing, netns: container });
}

function vxlanArguments(plan: Plan, sandbox: string): string[] {
  const device = `link add vxlan0 netns ${sandbox} type vxlan`;
  return `${device} id ${VNI} local ${plan.host.address} dstport ${PORT} nolearning proxy l2miss l3miss`.split(
    ' ',
  );
}
