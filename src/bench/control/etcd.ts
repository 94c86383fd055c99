/*
 * An etcd for one run: on loopback, its data in a directory of its own that goes with it. It writes to the disk as any
 * etcd does, since that is part of every attach. It ends with this process, however that ends.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PlaitError } from '../../model/errors.js';
import { freePort } from '../../net/free-port.js';
import { patience } from '../../patience.js';

const START_MS = 10_000;
const POLL_MS = 50;
/** Of what it said before it failed. */
const TAIL_CHARACTERS = 300;

export class BenchEtcd {
  readonly url: string;
  readonly #process: ChildProcess;
  readonly #directory: string;
  #output = '';
  #failure: Error | undefined;

  private constructor(url: string, child: ChildProcess, directory: string) {
    this.url = url;
    this.#process = child;
    this.#directory = directory;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (data) => {
        this.#output = (this.#output + data).slice(-TAIL_CHARACTERS);
      });
    }
    child.on('error', (error) => {
      this.#failure = error;
    });
    process.on('exit', this.#removeAtExit);
  }

  /** For a process that does not wait for `destroy`. */
  readonly #removeAtExit = (): void => {
    this.#process.kill('SIGKILL');
    rmSync(this.#directory, { recursive: true, force: true });
  };

  /** Throws PlaitError NO_ETCD when it cannot be started. */
  static async start(): Promise<BenchEtcd> {
    const directory = await mkdtemp(join(tmpdir(), 'plait-bench-etcd-'));
    const [url, peerUrl] = [await freeUrl(), await freeUrl()];
    // biome-ignore format: pairs
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'etcd',
      '--name', 'bench', '--data-dir', directory,
      '--listen-client-urls', url, '--advertise-client-urls', url,
      '--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl,
      '--initial-cluster', `bench=${peerUrl}`,
      '--logger', 'zap', '--log-outputs', 'stderr', '--log-level', 'warn',
    ], { stdio: ['ignore', 'pipe', 'pipe'] });
    const etcd = new BenchEtcd(url, child, directory);
    try {
      await etcd.#untilHealthy();
      return etcd;
    } catch (error) {
      await etcd.destroy();
      throw error;
    }
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** Its own account of itself, in Prometheus' text format. */
  async metrics(): Promise<string> {
    const response = await fetch(`${this.url}/metrics`);
    return response.text();
  }

  /** Ends it and removes its data. */
  async destroy(): Promise<void> {
    const child = this.#process;
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    }
    await rm(this.#directory, { recursive: true, force: true });
    process.off('exit', this.#removeAtExit);
  }

  async #untilHealthy(): Promise<void> {
    const deadline = Date.now() + patience(START_MS);
    while (!(await this.#isHealthy())) {
      const hasEnded = this.#failure !== undefined || this.#process.exitCode !== null;
      if (hasEnded || Date.now() > deadline) throw this.#notStarted();
      await sleep(POLL_MS);
    }
  }

  async #isHealthy(): Promise<boolean> {
    try {
      return (await fetch(`${this.url}/health`)).ok;
    } catch {
      return false;
    }
  }

  #notStarted(): PlaitError {
    const reason = this.#failure?.message ?? (this.#output.trim().split('\n').at(-1) || 'no answer in time');
    const hint = 'the programs etcd and setpriv are needed: apt install etcd-server util-linux';
    return new PlaitError('NO_ETCD', `start etcd for the benchmark: ${reason}`, { hint });
  }
}

async function freeUrl(): Promise<string> {
  return `http://127.0.0.1:${await freePort()}`;
}
