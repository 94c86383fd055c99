/*
 * etcd as a child of a manager's agent. It ends with the agent, however that ends (PDEATHSIG), and comes back with it; when
 * it ends by itself it is started again, with growing pauses. One that an agent was too dead to take along holds the
 * port for a moment: that is one of the pauses.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Logger } from 'pino';
import { PlaitError } from '../../model/errors.js';
import { patience } from '../../patience.js';
import { pauseUnless } from '../../pause.js';
import { type Beginning, dataDirectory, type EtcdPlace, etcdArguments } from './arguments.js';

export interface EtcdChildOptions {
  readonly place: EtcdPlace;
  readonly log: Logger;
  /** For a person: why it does not run. */
  readonly notices: Map<string, string>;
}

const NOTICE = 'etcd';
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;
/** One that ran for so long had begun well. */
const STEADY_MS = 30_000;
const GRACE_MS = patience(10_000);
/** What it said last is told when it ends. */
const KEPT_LINES = 5;

export class EtcdChild {
  readonly #options: EtcdChildOptions;
  readonly #closing = new AbortController();
  #process: ChildProcess | undefined;
  #running: Promise<void> | undefined;
  #said: string[] = [];
  #isRestart = false;

  constructor(options: EtcdChildOptions) {
    this.#options = options;
  }

  /** Of the process, while there is one. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Starts it and keeps it running. Never fails: notices say why it does not run. */
  start(beginning: Beginning): void {
    this.#running ??= this.#run(beginning);
  }

  /** Ends it, to be started again at once. */
  restart(): void {
    this.#isRestart = true;
    this.#process?.kill('SIGTERM');
  }

  async stop(): Promise<void> {
    this.#closing.abort();
    const child = this.#process;
    if (child !== undefined) {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), GRACE_MS);
      await this.#running;
      clearTimeout(timer);
    }
    await this.#running;
    this.#options.notices.delete(NOTICE);
  }

  async #run(first: Beginning): Promise<void> {
    const { log, notices, place } = this.#options;
    const { signal } = this.#closing;
    let pause = FIRST_PAUSE_MS;
    for (let run = 0; !signal.aborted; run++) {
      const started = performance.now();
      const cause = await this.#once(await this.#beginning(first, run)).catch(
        (error: Error) => error.message,
      );
      if (signal.aborted) return;
      if (this.#isRestart) {
        this.#isRestart = false;
        continue;
      }
      if (performance.now() - started > STEADY_MS) pause = FIRST_PAUSE_MS;
      notices.set(NOTICE, `etcd of this manager (${dataDirectory(place.state)}) does not run: ${cause}`);
      log.error({ cause, pauseMs: pause }, 'etcd has ended; it is started again');
      await pauseUnless(signal, pause);
      pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
    }
  }

  /** Once there are data, they say of what it is a member. */
  async #beginning(first: Beginning, run: number): Promise<Beginning> {
    if (first.kind === 'force-new-cluster') return run === 0 ? first : { kind: 'again' };
    return (await hasData(this.#options.place.state)) ? { kind: 'again' } : first;
  }

  /** Runs it until it ends, and returns why it did. */
  async #once(beginning: Beginning): Promise<string> {
    const { place, log, notices } = this.#options;
    const directory = dataDirectory(place.state);
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await chmod(directory, 0o700); // etcd refuses to start, or worse, with one that others can read
    if (this.#closing.signal.aborted) return 'stopped';
    const words = ['--pdeathsig', 'KILL', '--', 'etcd', ...etcdArguments(place, beginning)];
    this.#said = [];
    const child = spawn('setpriv', words, { stdio: ['ignore', 'ignore', 'pipe'], env: environment() });
    this.#process = child;
    const lines = createInterface({ input: child.stderr });
    lines.on('line', (line) => this.#tell(line));
    const steady = setTimeout(() => notices.delete(NOTICE), STEADY_MS);
    log.info({ pid: child.pid, beginning: beginning.kind }, 'etcd is started');
    try {
      const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
      const said = this.#said.length > 0 ? `: ${this.#said.join('; ')}` : '';
      return `${signal === null ? `exit code ${code}` : signal}${said}`;
    } catch (error) {
      throw notInstalled(error as NodeJS.ErrnoException);
    } finally {
      clearTimeout(steady);
      this.#process = undefined;
    }
  }

  #tell(line: string): void {
    const { level, text } = readLine(line);
    if (level === 'error' || level === 'fatal' || level === 'panic') {
      this.#said = [...this.#said, text].slice(-KEPT_LINES);
      this.#options.log.warn({ etcd: text }, 'etcd says');
      return;
    }
    this.#options.log.debug({ etcd: text }, 'etcd says');
  }
}

export async function hasData(state: string): Promise<boolean> {
  const files = await readdir(join(dataDirectory(state), 'member')).catch(() => []);
  return files.length > 0;
}

function readLine(line: string): { level: string; text: string } {
  try {
    const { level = 'info', msg = '', ...rest } = JSON.parse(line) as Record<string, string>;
    const { error } = rest;
    return { level, text: error === undefined ? msg : `${msg}: ${error}` };
  } catch {
    return { level: 'error', text: line.slice(0, 300) }; // not zap's: a panic, or the linker's
  }
}

/** Variables of etcd's own would overrule what is said here. */
function environment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('ETCD_')));
}

function notInstalled(error: NodeJS.ErrnoException): PlaitError {
  const what = error.code === 'ENOENT' ? 'setpriv is not installed' : error.message;
  return new PlaitError('ETCD_FAILED', what, { hint: 'apt-get install etcd-server util-linux' });
}
