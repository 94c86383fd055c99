/* Builds and removes the namespaces, links and addresses of a lab. See topology.ts for the picture. */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { ipBatch } from '../net/ip.js';
import { run } from '../net/run.js';
import {
  type Host,
  type LabSpec,
  namespaceOf,
  namespacePath,
  nodesOf,
  OUTSIDE,
  outsideOf,
  plainHostsOf,
  routerAddress,
  stateDir,
  underlayAddress,
} from './topology.js';

/** Builds everything that is not a process. A failure half way is undone by `removeUnderlay`. */
export async function buildUnderlay(spec: LabSpec): Promise<void> {
  const hosts = [...nodesOf(spec), ...plainHostsOf(spec)];
  const outside = outsideOf(spec);
  await ipBatch([...switchLines(spec), ...[...hosts, outside].flatMap((host) => cableLines(spec, host))], {
    doing: `build lab ${spec.name}`,
  });
  await configure(spec, 'underlay', [
    'link set lo up',
    'link set br0 up',
    `address add ${underlayAddress.v4}/24 dev br0`,
    `address add ${underlayAddress.v6}/64 dev br0 nodad`,
    ...[...hosts, outside].map((host) => `link set ${host.name} master br0 up`),
  ]);
  await keepFilterOffSwitch(spec);
  for (const host of hosts) await configure(spec, host.name, [...hostLines(host), ...defaultRoutes()]);
  await configure(spec, 'outside', [
    ...hostLines(outside),
    `address add ${OUTSIDE.address}/32 dev lo`,
    `address add ${OUTSIDE.address6}/128 dev lo`,
  ]);
}

/** Adds a namespace for a container: nothing in it but an interface to itself. */
export async function buildContainer(spec: LabSpec, name: string): Promise<void> {
  await ipBatch([`netns add ${namespaceOf(spec.name, name)}`], { doing: `add container ${name}` });
  await configure(spec, name, ['link set lo up']);
}

/** Ends what runs in the lab's namespaces and removes them, its mounts and its files. Finds them by name alone. */
export async function removeUnderlay(lab: string): Promise<void> {
  const doing = `take down lab ${lab}`;
  const namespaces = namespacesOf(lab);
  for (const namespace of namespaces) await killProcessesIn(namespace);
  for (const mount of mountsBelow(stateDir(lab))) await run('umount', [mount], { doing });
  await ipBatch(
    namespaces.map((namespace) => `netns delete ${namespace}`),
    { doing },
  );
  rmSync(stateDir(lab), { recursive: true, force: true });
}

export function namespacesOf(lab: string): string[] {
  const prefix = namespaceOf(lab, '');
  try {
    // A lab "a" must not take lab "a-b" down with it: a member's name holds no hyphen.
    return readdirSync('/run/netns').filter(
      (name) => name.startsWith(prefix) && !name.slice(prefix.length).includes('-'),
    );
  } catch {
    return [];
  }
}

function switchLines(spec: LabSpec): string[] {
  const underlay = namespaceOf(spec.name, 'underlay');
  // Created where it belongs: a link that is born elsewhere may clash with a name there.
  return [
    `netns add ${underlay}`,
    `link add br0 mtu ${spec.mtu} netns ${underlay} type bridge mcast_snooping 0`,
  ];
}

function cableLines(spec: LabSpec, host: Host): string[] {
  const underlay = namespaceOf(spec.name, 'underlay');
  return [
    `netns add ${host.namespace}`,
    `link add eth0 mtu ${spec.mtu} netns ${host.namespace} type veth peer name ${host.name} mtu ${spec.mtu} netns ${underlay}`,
  ];
}

function hostLines(host: Host): string[] {
  return [
    'link set lo up',
    `address add ${host.address}/24 dev eth0`,
    `address add ${host.address6}/64 dev eth0 nodad`,
    'link set eth0 up',
  ];
}

function defaultRoutes(): string[] {
  return [`route add default via ${routerAddress.v4}`, `route add default via ${routerAddress.v6}`];
}

async function configure(spec: LabSpec, member: string, lines: string[]): Promise<void> {
  const doing = `configure ${member} of lab ${spec.name}`;
  await ipBatch(lines, { doing, netns: namespacePath(spec.name, member) });
}

/**
 * Where the kernel has br_netfilter, every new namespace sends bridged packets through its packet filter. The bridge
 * stands for a switch, which has none; it took 15 % of a small packet's time, whatever the packet was.
 */
async function keepFilterOffSwitch(spec: LabSpec): Promise<void> {
  const script =
    'for file in /proc/sys/net/bridge/bridge-nf-call-*; do [ ! -e "$file" ] || echo 0 >"$file"; done';
  const netns = namespacePath(spec.name, 'underlay');
  await run('sh', ['-c', script], { doing: `configure the switch of lab ${spec.name}`, netns });
}

async function killProcessesIn(namespace: string): Promise<void> {
  const output = await run('ip', ['netns', 'pids', namespace], { doing: `list processes in ${namespace}` });
  for (const pid of output.split('\n').filter((line) => line !== '')) {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {
      // It ended by itself in the meantime.
    }
  }
}

/** Deepest first. */
function mountsBelow(dir: string): string[] {
  return readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((path) => path.startsWith(`${dir}/`))
    .reverse();
}
