/*
 * Docker's own overlay: a daemon on each of the hosts, in swarm mode, and a container each. The daemons see nothing of a
 * Docker that runs on this machine, and it nothing of them: all they write is in the lab's directory, or in mounts of their own.
 */
import { mkdir, readdir, readFile, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { Job } from '../lab/exec.js';
import type { Lab } from '../lab/lab.js';
import { type Host, stateDir } from '../lab/topology.js';
import { waitFor } from '../lab/wait.js';
import { run } from '../net/run.js';
import { patience } from '../patience.js';
import { invocationIn } from './programs.js';

export interface DockerMember {
  /** Path of the container's network namespace. */
  netns: string;
  address: string;
}

const SUBNET = '10.79.0';
const NETWORK = 'bench';
const IMAGE = 'plait-bench';
/** A tar archive of nothing: the image is empty, its containers run the host's programs. */
const EMPTY_TAR = '\0'.repeat(10_240);
const HOST_PROGRAMS = ['/usr', '/bin', '/lib', '/lib64'].flatMap((dir) => ['--volume', `${dir}:${dir}:ro`]);
const START_TIMEOUT_MS = 30_000;
const COMMAND_TIMEOUT_MS = patience(60_000);

/** Where every daemon keeps references to network namespaces, with no option to change it. */
const FIXED = '/run/docker';
const IN_OWN_MOUNTS = `mount -t tmpfs none ${FIXED} && exec dockerd "$@"`;

interface Daemon {
  host: Host;
  directory: string;
  job: Job;
}

export class DockerOverlay {
  readonly #lab: Lab;
  readonly #daemons: Daemon[] = [];

  constructor(lab: Lab) {
    this.#lab = lab;
  }

  /** Returns a container on each of the hosts. What a failure leaves is taken away by `close`. */
  async build(hosts: readonly Host[]): Promise<DockerMember[]> {
    await mkdir(FIXED, { recursive: true });
    for (const host of hosts) this.#start(host);
    for (const daemon of this.#daemons) await this.#answers(daemon);
    const [manager, ...workers] = this.#daemons;
    if (!manager) return [];
    await docker(manager, ['swarm', 'init', '--advertise-addr', manager.host.address]);
    const token = await docker(manager, ['swarm', 'join-token', '--quiet', 'worker']);
    for (const worker of workers) {
      const addresses = ['--advertise-addr', worker.host.address, `${manager.host.address}:2377`];
      await docker(worker, ['swarm', 'join', '--token', token, ...addresses]);
    }
    const network = ['--driver', 'overlay', '--attachable', '--subnet', `${SUBNET}.0/24`, NETWORK];
    await docker(manager, ['network', 'create', ...network]);
    const members: DockerMember[] = [];
    for (const [index, daemon] of this.#daemons.entries()) {
      members.push(await addContainer(daemon, `${SUBNET}.${index + 11}`));
    }
    return members;
  }

  /** Removes the containers, which do not end with their daemons, and those too that were being made meanwhile. */
  async close(): Promise<void> {
    for (const daemon of this.#daemons.splice(0).reverse()) {
      await docker(daemon, ['rm', '--force', container(daemon)]).catch(() => {}); // it may not have got so far
      await daemon.job.stop('SIGTERM');
    }
    for (const cgroup of await this.#cgroups()) await emptyCgroup(cgroup);
    await rmdir(FIXED).catch(() => {}); // another Docker's stays
  }

  get #cgroup(): string {
    return `plait-${this.#lab.spec.name}`;
  }

  /** Version 1 has a tree for each controller, version 2 one for all. */
  async #cgroups(): Promise<string[]> {
    const top = '/sys/fs/cgroup';
    const trees = await readdir(top).catch(() => []);
    return ['', ...trees].map((tree) => path.join(top, tree, this.#cgroup));
  }

  #start(host: Host): void {
    const directory = path.join(stateDir(this.#lab.spec.name), `docker-${host.name}`);
    const line = [
      ...['unshare', '--mount', '--propagation', 'private', 'sh', '-c', IN_OWN_MOUNTS, 'dockerd'],
      ...['--data-root', `${directory}/data`, '--exec-root', `${directory}/exec`],
      ...['--host', socketOf(directory), '--pidfile', `${directory}/pid`, '--storage-driver', 'vfs'],
      ...['--cgroup-parent', this.#cgroup, '--exec-opt', 'native.cgroupdriver=cgroupfs'],
      ...['--bridge', 'none', '--iptables=false', '--ip6tables=false'],
    ];
    this.#lab.transcript.push(`${host.name}# ${line.join(' ')} &\n`);
    const job = new Job(invocationIn({ netns: this.#lab.netns(host.name) }, line));
    this.#daemons.push({ host, directory, job });
  }

  async #answers(daemon: Daemon): Promise<void> {
    const answers = async (): Promise<boolean> => {
      if (daemon.job.isRunning) return docker(daemon, ['version']).then(Boolean, () => false);
      const words = (await daemon.job.outcome).stderr.trim().split('\n').at(-1);
      throw new Error(`start dockerd on ${daemon.host.name}: ${words}`);
    };
    await waitFor(`dockerd of ${daemon.host.name} to answer`, answers, START_TIMEOUT_MS);
  }
}

/** Kills what is in a control group and below it, and removes it; there may be no such group. */
async function emptyCgroup(directory: string): Promise<void> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  for (const entry of entries.filter((one) => one.isDirectory())) {
    await emptyCgroup(path.join(directory, entry.name));
  }
  const processes = await readFile(path.join(directory, 'cgroup.procs'), 'utf8').catch(() => '');
  for (const pid of processes.split('\n').filter(Boolean)) process.kill(Number(pid), 'SIGKILL');
  const gone = (): Promise<boolean> =>
    rmdir(directory).then(
      () => true,
      (error: NodeJS.ErrnoException) => error.code !== 'EBUSY',
    );
  await waitFor(`control group ${directory} to be empty`, gone);
}

async function addContainer(daemon: Daemon, address: string): Promise<DockerMember> {
  const name = container(daemon);
  await docker(daemon, ['import', '-', IMAGE], EMPTY_TAR);
  const place = ['--name', name, '--network', NETWORK, '--ip', address];
  await docker(daemon, ['run', '--detach', ...place, ...HOST_PROGRAMS, IMAGE, 'sleep', 'infinity']);
  const pid = await docker(daemon, ['inspect', '--format', '{{.State.Pid}}', name]);
  return { netns: `/proc/${pid}/ns/net`, address };
}

const container = ({ host }: Daemon): string => `bench-${host.name}`;
const socketOf = (directory: string): string => `unix://${directory}/sock`;

async function docker({ host, directory }: Daemon, args: readonly string[], stdin?: string): Promise<string> {
  const doing = `ask Docker on ${host.name} to ${args.slice(0, 2).join(' ')}`;
  const options = { doing, timeout: COMMAND_TIMEOUT_MS, ...(stdin === undefined ? {} : { stdin }) };
  return (await run('docker', ['--host', socketOf(directory), ...args], options)).trim();
}
