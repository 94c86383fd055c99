// Docker engines on the hosts of a lab: a real dockerd in each host's network namespace, with a mount namespace of its own, in
// which /run and /etc are its own. Everything of it lies in one directory of a tmpfs, and goes with it.

import { execFileSync, spawn } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type ExecFailed, Job, type Outcome } from '../../../src/lab/exec.js';
import type { Lab } from '../../../src/lab/lab.js';
import { waitFor } from '../../../src/lab/wait.js';
import { patience } from '../../../src/patience.js';

/** Debian's, whatever else is in the PATH: a client that is newer than the engine refuses some options. */
const DOCKER = '/usr/bin/docker';
const IMAGE = 'bb';
const APPLETS = [
  'sh',
  'ping',
  'sleep',
  'ip',
  'wget',
  'nc',
  'httpd',
  'true',
  'cat',
  'echo',
  'seq',
  'nslookup',
];
const START_MS = 30_000;
/** No command may take longer, whatever is broken. */
const COMMAND_MS = 60_000;

export class Engine {
  readonly node: string;
  /** Where the agent of the host is to serve Docker. */
  readonly plugin: string;
  /** Where dockerd answers. */
  readonly socket: string;
  readonly #lab: Lab;
  readonly #dir: string;
  readonly #holder: Job;
  #daemon: number | undefined;

  constructor(lab: Lab, node: string) {
    this.#lab = lab;
    this.node = node;
    this.#dir = mkdtempSync(`/dev/shm/pt-docker-${node}-`);
    this.plugin = join(this.#dir, 'plait.sock');
    this.socket = `unix://${this.#dir}/docker.sock`;
    for (const name of ['up', 'work', 'data', 'exec']) mkdirSync(join(this.#dir, name));
    // What dockerd mounts in its directory is seen by the agent as on a host of its own: the containers' network namespaces.
    execFileSync('mount', ['--bind', this.#dir, this.#dir]);
    execFileSync('mount', ['--make-shared', this.#dir]);
    this.#holder = lab.start(node, `unshare -m -u --propagation unchanged sh ${this.#holderScript()}`);
  }

  #holderScript(): string {
    const path = join(this.#dir, 'holder.sh');
    const lines = [
      'set -e',
      'for at in / /run /etc; do mount --make-private $at 2>/dev/null || true; done',
      'mount -t tmpfs tmpfs /run',
      `mount -t overlay overlay -o lowerdir=/etc,upperdir=${this.#dir}/up,workdir=${this.#dir}/work /etc`,
      'mkdir -p /etc/docker/plugins',
      `echo unix://${this.plugin} >/etc/docker/plugins/plait.spec`,
      'rm -f /etc/resolv.conf; echo nameserver 127.0.0.1 >/etc/resolv.conf',
      `hostname ${this.node}`,
      `touch ${this.#dir}/ready`,
      'exec sleep infinity',
    ];
    writeFileSync(path, `${lines.join('\n')}\n`);
    return path;
  }

  /** Starts dockerd, again if it was killed. Without the driver of its networks it takes its time. */
  async start(options = '', longestMs = START_MS): Promise<void> {
    await waitFor('the namespaces of the engine', async () => readable(join(this.#dir, 'ready')));
    for (const left of ['exec/containerd/containerd.pid', 'docker.pid'])
      rmSync(join(this.#dir, left), { force: true });
    const line = [
      `-t ${this.#holder.pid} -m -u --net=${this.#lab.netns(this.node)} -- dockerd --data-root ${this.#dir}/data`,
      `--exec-root ${this.#dir}/exec -H ${this.socket} --pidfile ${this.#dir}/docker.pid --storage-driver vfs --exec-opt native.cgroupdriver=cgroupfs ${options}`,
    ].join(' ');
    const log = openSync(join(this.#dir, 'dockerd.log'), 'a');
    const child = spawn('nsenter', line.trim().split(' '), { stdio: ['ignore', log, log], cwd: '/' });
    closeSync(log);
    this.#daemon = child.pid;
    await waitFor(
      `dockerd of ${this.node}; ${this.log()}`,
      async () => (await this.try('version')).status === 0,
      longestMs,
    );
  }

  /** As a crash. Containers die when it comes back, unless it has --live-restore. */
  async kill(): Promise<void> {
    if (this.#daemon) process.kill(this.#daemon, 'SIGKILL');
    await waitFor('dockerd to be gone', async () => (await this.try('version')).status !== 0);
  }

  /** Makes the image `bb`. */
  async loadImage(): Promise<void> {
    const root = join(this.#dir, 'image');
    mkdirSync(join(root, 'bin'), { recursive: true });
    execFileSync('cp', ['/bin/busybox', join(root, 'bin/busybox')]);
    for (const applet of APPLETS) execFileSync('ln', ['-s', 'busybox', join(root, 'bin', applet)]);
    const tar = execFileSync('tar', ['-C', root, '-c', '.'], { maxBuffer: 1 << 26 });
    execFileSync(DOCKER, ['-H', this.socket, 'import', '-', IMAGE], { input: tar });
  }

  /** A command as a person types it, split at spaces. */
  try(line: string): Promise<Outcome> {
    const argv = ['-H', this.socket, ...line.split(' ')];
    return new Job({ file: DOCKER, args: argv, env: process.env }, patience(COMMAND_MS)).outcome;
  }

  async docker(line: string): Promise<string> {
    const { status, stdout, stderr } = await this.try(line);
    if (status !== 0)
      throw new Error(`${this.node}# docker ${line}: ${status}: ${stderr}${stdout}`) as ExecFailed;
    return stdout.trim();
  }

  /** A container that lives until it is removed. */
  async run(name: string, options: string): Promise<void> {
    await this.docker(`run -d --name ${name} ${options} ${IMAGE} sleep 10000`);
  }

  exec(name: string, line: string): Promise<Outcome> {
    return this.try(`exec ${name} ${line}`);
  }

  async address(name: string, network: string): Promise<string> {
    return this.docker(`inspect -f {{.NetworkSettings.Networks.${network}.IPAddress}} ${name}`);
  }

  log(): string {
    try {
      return readFileSync(join(this.#dir, 'dockerd.log'), 'utf8').split('\n').slice(-15).join('\n');
    } catch {
      return '';
    }
  }

  /** With all containers, and whatever of it is on this machine. */
  async remove(): Promise<void> {
    const ids = await this.try('ps -aq').then(({ stdout }) => stdout.split('\n').filter(Boolean));
    if (ids.length > 0) await this.try(`rm -f ${ids.join(' ')}`);
    const containerd = readable(join(this.#dir, 'exec/containerd/containerd.pid'))
      ? Number(readFileSync(join(this.#dir, 'exec/containerd/containerd.pid'), 'utf8'))
      : undefined;
    if (this.#daemon && isAlive(this.#daemon)) {
      process.kill(this.#daemon, 'SIGTERM');
      await waitFor('dockerd to end', async () => !isAlive(this.#daemon ?? 0), 20_000).catch(() => undefined);
      if (isAlive(this.#daemon)) process.kill(this.#daemon, 'SIGKILL');
    }
    if (containerd && isAlive(containerd)) process.kill(containerd, 'SIGKILL');
    await this.#holder.stop('SIGKILL');
    execFileSync('umount', ['-R', '-l', this.#dir]);
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

/** With Docker's drivers, for the engine of its host. */
export async function startAgent(lab: Lab, engine: Engine): Promise<void> {
  process.env.PLAIT_DOCKER_PLUGIN = engine.plugin;
  process.env.PLAIT_DOCKER_HOST = engine.socket;
  await lab.startAgent(engine.node);
}

/** On each host of the lab, running, with the image `bb`, and an agent that knows of it. */
export async function startEngines(lab: Lab): Promise<Engine[]> {
  const engines = lab.nodes.map(({ name }) => new Engine(lab, name));
  for (const engine of engines) await restartAgent(lab, engine, 'SIGTERM');
  await Promise.all(engines.map((engine) => engine.start()));
  await Promise.all(engines.map((engine) => engine.loadImage()));
  return engines;
}

export async function restartAgent(lab: Lab, engine: Engine, signal: NodeJS.Signals): Promise<void> {
  await lab.killAgent(engine.node, signal);
  await startAgent(lab, engine);
}

/** Addresses, in order, that the container gets for the name; none when it does not exist. */
async function lookup(engine: Engine, from: string, name: string): Promise<string[]> {
  const { stdout } = await engine.exec(from, `nslookup -type=a ${name} 127.0.0.11`);
  const [, answer = ''] = stdout.split(/Name:/);
  return [...stdout.slice(stdout.indexOf(answer)).matchAll(/Address(?: \d+)?: (10\.\S+)/g)]
    .map(([, address = '']) => address)
    .sort();
}

/** That is what it gets, at last. */
export async function finds(
  engine: Engine,
  from: string,
  name: string,
  addresses: readonly string[],
): Promise<void> {
  const wanted = [...addresses].sort().join();
  let found: string[] = [];
  await waitFor(`${from} to find ${name}`, async () => {
    found = await lookup(engine, from, name);
    return found.join() === wanted;
  }).catch(async () => {
    assert.equal(found.join(), wanted, `${name} from ${from}`);
  });
}

function readable(path: string): boolean {
  try {
    readFileSync(path);
    return true;
  } catch {
    return false;
  }
}

/** A zombie is not: nobody may be there to bury it. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
