/* What `plait lab …` does. Data is returned for the command line to print; progress goes to stderr. */
import { NotFound } from '../model/errors.js';
import { interactive } from './exec.js';
import { Lab, type LabOptions } from './lab.js';
import { hasState } from './state.js';
import { namespacesOf } from './underlay.js';

export interface LabMember {
  name: string;
  kind: 'node' | 'host' | 'container' | 'etcd';
  /** Address on the underlay; null for a container. */
  address: string | null;
  netns: string;
  /** null where nothing is meant to run. */
  running: boolean | null;
  pid: number | null;
}

export interface LabStatus {
  name: string;
  members: LabMember[];
}

const DEFAULT_NAME = 'lab';

/** Builds a lab, with one empty container per node (c1 on n1 …) for a person to attach. */
export async function labUp(options: Omit<LabOptions, 'progress'> = {}): Promise<LabStatus> {
  const lab = await Lab.up({ ...options, progress: (step) => process.stderr.write(`${step}\n`) });
  for (const index of lab.nodes.keys()) await lab.addContainer(`c${index + 1}`);
  return statusOf(lab);
}

/** Runs a program as a member of the lab on this terminal; a shell when none is named. Returns its exit code. */
export async function labExec(member: string, argv: readonly string[], name = DEFAULT_NAME): Promise<number> {
  const command = argv.length > 0 ? argv : [process.env.SHELL ?? 'sh'];
  return interactive(Lab.open(name).invocation(member, command));
}

export async function labStatus(name = DEFAULT_NAME): Promise<LabStatus> {
  return statusOf(Lab.open(name));
}

export async function labDown(name = DEFAULT_NAME): Promise<void> {
  if (!hasState(name) && namespacesOf(name).length === 0) throw new NotFound('lab', name);
  await Lab.remove(name);
}

function statusOf(lab: Lab): LabStatus {
  const process = (name: string): Pick<LabMember, 'running' | 'pid'> => {
    const running = lab.isUp(name);
    return { running, pid: running ? lab.pid(name) : null };
  };
  const nothing = { running: null, pid: null };
  return {
    name: lab.spec.name,
    members: [
      ...lab.nodes.map((host) => ({
        ...{ name: host.name, kind: 'node' as const, address: host.vtep, netns: lab.netns(host.name) },
        ...process(host.name),
      })),
      ...[...lab.plainHosts, lab.outside].map((host) => ({
        ...{ name: host.name, kind: 'host' as const, address: host.vtep, netns: lab.netns(host.name) },
        ...nothing,
      })),
      ...(lab.spec.managers > 0 ? [] : [etcdOf(lab, process('etcd'))]),
      ...lab.containers.map((name) => ({
        ...{ name, kind: 'container' as const, address: null, netns: lab.netns(name) },
        ...nothing,
      })),
    ],
  };
}

function etcdOf(lab: Lab, state: Pick<LabMember, 'running' | 'pid'>): LabMember {
  return { name: 'etcd', kind: 'etcd', address: lab.etcdUrl, netns: lab.netns('underlay'), ...state };
}
