/* Runs a program as a member of the lab would: in its network namespace, with its resolver, with `plait` at hand. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

export interface Invocation {
  file: string;
  args: string[];
  env: NodeJS.ProcessEnv;
}

export interface Outcome {
  stdout: string;
  stderr: string;
  /** Exit code; 128 + signal as a shell counts when it was killed. */
  status: number;
}

/** A program ended badly; the message holds its last words, `outcome` all of them. */
export class ExecFailed extends Error {
  constructor(
    command: string,
    readonly outcome: Outcome,
  ) {
    const words = (outcome.stderr || outcome.stdout).trim().split('\n').slice(-3).join(' · ');
    super(`run ${command}: exit code ${outcome.status}${words ? `: ${words}` : ''}`);
    this.name = 'ExecFailed';
  }
}

/** As a process on a host: PLAIT_ROOT says which agent `plait` talks to. */
export function onHost(netns: string, argv: readonly string[], env: NodeJS.ProcessEnv): Invocation {
  return { file: 'nsenter', args: [`--net=${netns}`, '--', ...argv], env: { ...process.env, ...env } };
}

/**
 * As a process in a container: names are asked at 127.0.0.11. The resolv.conf is mounted for this process alone;
 * `ip netns exec` would also hide bpffs and show another /sys.
 */
export function inContainer(netns: string, argv: readonly string[], resolvConf: string): Invocation {
  const script = 'mount --bind "$0" /etc/resolv.conf && exec "$@"';
  const args = [`--net=${netns}`, '--', 'unshare', '--mount', '--', 'sh', '-c', script, resolvConf, ...argv];
  return { file: 'nsenter', args, env: process.env };
}

/** A program that runs until it ends or is told to; `output` grows while it does. */
export class Job {
  stdout = '';
  stderr = '';
  readonly outcome: Promise<Outcome>;
  readonly #child: ChildProcess;

  constructor(invocation: Invocation, timeoutMs?: number) {
    const child = spawn(invocation.file, invocation.args, {
      env: invocation.env,
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(timeoutMs === undefined ? {} : { timeout: timeoutMs, killSignal: 'SIGKILL' }),
    });
    this.#child = child;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.outcome = new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, signal) => {
        const status = code ?? 128 + (signal === 'SIGKILL' ? 9 : 15);
        resolve({ stdout: this.stdout, stderr: this.stderr, status });
      });
    });
    this.outcome.catch(() => {}); // seen by who waits for it
  }

  /** Of the program, which every wrapper in front of it has become. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Ends the program with a signal (most tools print their summary on SIGINT) and waits for its last words. */
  async stop(signal: NodeJS.Signals = 'SIGINT'): Promise<Outcome> {
    if (this.#child.exitCode === null) this.#child.kill(signal);
    return this.outcome;
  }

  /** Whether the program sleeps: it waits for something to come. */
  get isIdle(): boolean {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8');
    return /^State:\s+S/m.test(status);
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }
}

/** Runs to the end on this terminal: for a person's shell. */
export function interactive(invocation: Invocation): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(invocation.file, invocation.args, { env: invocation.env, stdio: 'inherit' });
    child.on('error', reject);
    child.on('close', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 137)));
  });
}
