/** Debian's etcd for a test: a process of its own on loopback ports that were free, its data in memory. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../src/net/free-port.js';
import { patience } from '../../src/patience.js';

const START_MS = 10_000;

export class TestEtcd {
  readonly url: string;
  readonly #peerUrl: string;
  readonly #dir = mkdtempSync('/dev/shm/pt-etcd-');
  #process: ChildProcess | undefined;
  #output = '';

  private constructor(ports: readonly number[]) {
    this.url = `http://127.0.0.1:${ports[0]}`;
    this.#peerUrl = `http://127.0.0.1:${ports[1]}`;
  }

  static async start(): Promise<TestEtcd> {
    const etcd = new TestEtcd([await freePort(), await freePort()]);
    await etcd.start();
    return etcd;
  }

  /** Starts it again on the same data and port. */
  async start(): Promise<void> {
    // biome-ignore format: pairs
    const child = spawn('etcd', [
      '--name', 'test', '--data-dir', this.#dir, '--unsafe-no-fsync',
      '--listen-client-urls', this.url, '--advertise-client-urls', this.url,
      '--listen-peer-urls', this.#peerUrl, '--initial-advertise-peer-urls', this.#peerUrl,
      '--heartbeat-interval', '20', '--election-timeout', '100',
      '--initial-cluster', `test=${this.#peerUrl}`,
    ], { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.on('data', (data) => (this.#output += data));
    child.stderr.on('data', (data) => (this.#output += data));
    this.#process = child;
    const deadline = Date.now() + patience(START_MS);
    while (!(await this.#isHealthy())) {
      if (Date.now() > deadline || child.exitCode !== null) throw new Error(`start etcd:\n${this.#output}`);
      await sleep(patience(50));
    }
  }

  /** Stops the process, politely or not, and keeps the data. */
  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }

  /** Runs the work while etcd is frozen: connections stay, answers do not come. */
  async whileFrozen(work: () => Promise<unknown>): Promise<void> {
    const child = this.#process;
    if (!child) throw new Error('freeze etcd: it does not run');
    child.kill('SIGSTOP');
    try {
      const isStopped = () => / T /.test(readFileSync(`/proc/${child.pid}/stat`, 'utf8'));
      await until('etcd is frozen', isStopped);
      await work();
    } finally {
      child.kill('SIGCONT');
    }
  }

  /** Stops and removes everything. */
  async destroy(): Promise<void> {
    await this.stop('SIGKILL');
    rmSync(this.#dir, { recursive: true, force: true });
  }

  /** Runs etcdctl, the tests' independent eye and hand. */
  ctl(...args: string[]): string {
    const env = { ...process.env, ETCDCTL_API: '3' };
    return execFileSync('etcdctl', ['--endpoints', this.url, ...args], {
      env,
      encoding: 'utf8',
      maxBuffer: 2 ** 26,
    }).trim();
  }

  /** Keys of the prefix, by etcdctl. */
  keys(prefix: string): string[] {
    return this.ctl('get', '--prefix', '--keys-only', prefix).split('\n').filter(Boolean);
  }

  /** Value of a key, by etcdctl; empty if there is none. */
  value(key: string): string {
    return this.ctl('get', '--print-value-only', key);
  }

  async #isHealthy(): Promise<boolean> {
    try {
      return (await fetch(`${this.url}/health`)).ok;
    } catch {
      return false;
    }
  }
}

/** Waits for a condition, not for time. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  ms = 10_000,
): Promise<void> {
  const limit = patience(ms);
  const deadline = Date.now() + limit;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`wait until ${what}: not within ${limit} ms`);
    await sleep(patience(20));
  }
}
