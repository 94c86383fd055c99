/*
 * Two namespaces and a veth between them, and a container behind the one that receives. One processor makes the packets, another one receives them: the device's NAPI
 * runs in a thread of its own, so that its processor time is that of receiving and dropping, and of nothing else.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { interfaceIndex } from 'libbpf-ts-bindings';
import { run } from '../../net/run.js';
import { CONTAINER, TARGET } from './packets.js';

const GENERATOR = fileURLToPath(new URL('generator.js', import.meta.url));
/** In the namespace that receives. */
const HOST_END = 'inside';
const CPU = { generate: 0, receive: 1 } as const;

export class Stage {
  readonly #near = `bx-near-${process.pid}`;
  readonly #far = `bx-far-${process.pid}`;
  readonly #container = `bx-in-${process.pid}`;
  /** A device's thread is known by its name alone. */
  readonly #device = `bx${process.pid}`;
  #generator: ChildProcess | undefined;

  async build(): Promise<void> {
    if (availableParallelism() < 2) {
      throw new Error('build the stage: one processor is to send and another to receive, there is only one');
    }
    const [near, far, device, inside] = [this.#near, this.#far, this.#device, this.#container];
    const lines = [
      `netns add ${near}`,
      `netns add ${far}`,
      `link add ${device} netns ${near} type veth peer name out netns ${far}`,
      `-n ${near} link set ${device} address ${TARGET.mac} up`,
      `-n ${near} address add ${TARGET.address}/24 dev ${device}`,
      `-n ${far} link set out up`,
      `netns add ${inside}`,
      `link add ${HOST_END} netns ${near} type veth peer name eth0 netns ${inside}`,
      `-n ${near} link set ${HOST_END} up`,
      `-n ${inside} link set eth0 address ${CONTAINER.mac} up`,
      `-n ${inside} address add ${CONTAINER.address}/24 dev eth0`,
    ];
    for (const line of lines) await run('ip', line.split(' '), { doing: 'build the stage' });
    await this.setGro('on');
    await this.inContainer(['ethtool', '-K', 'eth0', 'gro', 'on']); // as the agent does
    const threaded = `echo 1 >/sys/class/net/${device}/threaded`;
    await run('ip', ['netns', 'exec', near, 'sh', '-c', threaded], { doing: 'give the device a thread' });
  }

  async remove(): Promise<void> {
    this.#generator?.kill('SIGKILL');
    for (const name of [this.#near, this.#far, this.#container]) {
      await run('ip', ['netns', 'delete', name], { doing: 'remove the stage' }).catch(() => undefined);
    }
  }

  /** Of the namespace that receives. */
  get netns(): string {
    return `/run/netns/${this.#near}`;
  }

  get device(): string {
    return this.#device;
  }

  get ifindex(): number {
    return interfaceIndex(this.#device, this.netns);
  }

  /** Of the container's host end. */
  get hostEnd(): number {
    return interfaceIndex(HOST_END, this.netns);
  }

  inContainer(argv: readonly string[]): Promise<string> {
    return run('nsenter', [`--net=/run/netns/${this.#container}`, ...argv], { doing: `run ${argv[0]}` });
  }

  /** Runs a program where packets are received; returns what it prints. */
  inside(argv: readonly string[], stdin?: string): Promise<string> {
    const options = { doing: `run ${argv[0]}`, ...(stdin === undefined ? {} : { stdin }) };
    return run('nsenter', [`--net=${this.netns}`, ...argv], options);
  }

  /** Frames without an skb are received by a veth only while it has NAPI, by GRO or by an XDP program. */
  async setGro(state: 'on' | 'off'): Promise<void> {
    await this.inside(['ethtool', '-K', this.#device, 'gro', state]);
  }

  /** From now on this frame is what `send` sends. */
  async load(frame: Buffer): Promise<void> {
    this.#generator?.kill('SIGKILL');
    const child = fork(GENERATOR, [`/run/netns/${this.#far}`, 'out', frame.toString('hex')]);
    this.#generator = child;
    await once(child, 'message');
    await pin(child.pid ?? 0, CPU.generate);
  }

  send(state: 'start' | 'stop'): void {
    this.#generator?.send(state);
  }

  /** A device that gets or loses its NAPI has another thread than before. */
  async pinReceiver(): Promise<void> {
    await pin(this.#thread(), CPU.receive);
  }

  /**
   * Nanoseconds that receiving has taken: by the device's thread, and by the processor's own for softirqs, which takes
   * over the container's NAPI when that does not get to an end.
   */
  receiverTime(): number {
    const threads = [this.#thread(), threadNamed((comm) => comm === `ksoftirqd/${CPU.receive}`)];
    return threads.reduce(
      (sum, pid) => sum + Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0]),
      0,
    );
  }

  #thread(): number {
    return threadNamed((comm) => comm.startsWith(`napi/${this.#device}-`));
  }
}

/** Its pid. */
function threadNamed(isWanted: (comm: string) => boolean): number {
  const hasName = (pid: string): boolean => {
    try {
      return isWanted(readFileSync(`/proc/${pid}/comm`, 'utf8').trim());
    } catch {
      return false; // it ended
    }
  };
  const found = readdirSync('/proc').find((name) => /^\d+$/.test(name) && hasName(name));
  if (found === undefined) throw new Error('find the thread that receives: the kernel has none');
  return Number(found);
}

async function pin(pid: number, cpu: number): Promise<void> {
  await run('taskset', ['-a', '-p', '-c', `${cpu}`, `${pid}`], { doing: 'pin a thread to a processor' });
}
