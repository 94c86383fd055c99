// Words that the scenarios share: attach a container, wait until it is reachable, ask for its record.

import type { Lab } from '../../../src/lab/lab.js';
import { waitFor } from '../../../src/lab/wait.js';
import type { DropsAnswer } from '../../../src/model/api.js';

export interface Container {
  container: string;
  node: string;
  name: string;
  id: string;
  mac: string;
  /** IPv4 first. */
  addresses: string[];
  /** The first IPv4 address. */
  address: string;
  /** The first IPv6 address; empty when there is none. */
  address6: string;
}

export interface AttachOptions {
  network?: string;
  name?: string;
  /** Further options of `plait attach`. */
  options?: string;
}

/** Adds a container to the lab and attaches it on a node. */
export async function attach(
  lab: Lab,
  node: string,
  container: string,
  { network = 'app', name = container, options = '' }: AttachOptions = {},
): Promise<Container> {
  const netns = await lab.addContainer(container);
  const line = `attach --network ${network} --name ${name} ${options} ${netns}`.replace(/ +/g, ' ');
  const id = (await lab.plait(node, line)).trim();
  return { container, node, ...(await inspect(lab, node, id)) };
}

async function inspect(lab: Lab, node: string, id: string): Promise<Omit<Container, 'container' | 'node'>> {
  const [found] = JSON.parse(await lab.plait(node, `endpoint inspect ${id}`)) as {
    id: string;
    name: string;
    mac: string;
    addresses: string[];
  }[];
  if (!found) throw new Error(`inspect endpoint ${id}: nothing was printed`);
  const plain = found.addresses.map((address) => address.split('/')[0] ?? '');
  const address = plain.find((one) => !one.includes(':')) ?? '';
  const address6 = plain.find((one) => one.includes(':')) ?? '';
  return { id: found.id, name: found.name, mac: found.mac, addresses: plain, address, address6 };
}

/** Waits until every container reaches every other: the moment from which nothing may be lost. */
export async function allReach(lab: Lab, containers: readonly Container[]): Promise<void> {
  for (const from of containers) {
    for (const to of containers) if (to !== from) await reach(lab, from.container, to.address || to.address6);
  }
}

export async function reach(lab: Lab, from: string, target: string): Promise<void> {
  await waitFor(`${from} to reach ${target}`, async () => {
    return (await lab.try(from, ['ping', '-n', '-c', '1', '-W', '1', target])).status === 0;
  });
}

export async function canReach(lab: Lab, from: string, target: string): Promise<boolean> {
  return (await lab.try(from, ['ping', '-n', '-c', '2', '-i', '0.2', '-W', '1', target])).status === 0;
}

/** Waits until a server listens, by asking the kernel. */
export async function listening(lab: Lab, member: string, port: number, protocol = 'tcp'): Promise<void> {
  await waitFor(`${member} to listen on ${protocol} ${port}`, async () => {
    return (await lab.sh(member, `ss -Hln --${protocol} sport = :${port}`)) !== '';
  });
}

/** Moves TCP data for a second and returns what arrived, in Gbit/s. */
export async function iperf(lab: Lab, from: string, to: string, address: string): Promise<number> {
  const server = lab.start(to, 'iperf3 -s -1');
  try {
    await listening(lab, to, 5201);
    const report = await lab.sh(from, `iperf3 -c ${address} -t 1 -f g -i 0`);
    return Number(/([\d.]+) Gbits\/sec\s+receiver/.exec(report)?.[1]);
  } finally {
    await server.stop('SIGKILL');
  }
}

/** The counter of a drop reason or an event on a node, 0 for one that never occurred. */
export async function dropped(lab: Lab, node: string): Promise<Record<string, number>> {
  const { drops, events } = await lab.client(node).get<DropsAnswer>('/v1/drops');
  return Object.fromEntries([...drops, ...events].map(({ name, packets }) => [name, packets]));
}
