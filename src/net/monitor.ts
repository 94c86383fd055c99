/*
 * Tells when links, routes or addresses of the host change. What changed is not said: whoever hears it looks again,
 * so a message that is lost or comes twice does no harm. Changes of our own interfaces are not reported, or every
 * attach would cause a look.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface MonitorOptions {
  /** Milliseconds from the first change to the call; later ones join it. */
  readonly debounce?: number;
  /** Hears why the monitor was started again. */
  readonly onRestart?: (reason: string) => void;
}

const FIRST_BACKOFF = 100;
const LAST_BACKOFF = 10_000;
const OURS = /\b(pl[0-9a-f]{11}|plait0p?|plaitvx|plaithr)\b/;

/** `onChange` is called after each burst of changes, and after a gap in which changes may have been missed. */
export function followNetwork(onChange: () => void, options: MonitorOptions = {}): { close(): void } {
  const monitor = new Monitor(onChange, options);
  monitor.start();
  return monitor;
}

class Monitor {
  readonly #onChange: () => void;
  readonly #options: MonitorOptions;
  #child: ChildProcess | undefined;
  #pending: NodeJS.Timeout | undefined;
  #restart: NodeJS.Timeout | undefined;
  #backoff = FIRST_BACKOFF;
  #closed = false;

  constructor(onChange: () => void, options: MonitorOptions) {
    this.#onChange = onChange;
    this.#options = options;
  }

  /** The child dies with this process, however that ends: it would wait for a change to notice. */
  start(): void {
    const argv = ['--pdeathsig', 'KILL', '--', 'ip', '-oneline', 'monitor', 'link', 'route', 'address'];
    const child = spawn('setpriv', argv, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    let complaint = '';
    createInterface({ input: child.stdout }).on('line', (line) => this.#line(line));
    child.stderr.on('data', (text: Buffer) => {
      complaint = text.toString().trim();
      this.#changed(); // it says so when the kernel dropped messages
    });
    child.on('error', (error) => {
      complaint = error.message;
    });
    child.on('close', () => this.#ended(complaint || 'it ended'));
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#pending);
    clearTimeout(this.#restart);
    this.#child?.kill('SIGKILL');
  }

  #line(line: string): void {
    this.#backoff = FIRST_BACKOFF;
    if (!OURS.test(line)) this.#changed();
  }

  #changed(): void {
    if (this.#closed || this.#pending) return;
    this.#pending = setTimeout(() => {
      this.#pending = undefined;
      this.#onChange();
    }, this.#options.debounce ?? 50);
  }

  #ended(reason: string): void {
    if (this.#closed) return;
    this.#options.onRestart?.(`follow host network: ip monitor: ${reason}`);
    this.#restart = setTimeout(() => {
      this.start();
      this.#changed();
    }, this.#backoff);
    this.#backoff = Math.min(this.#backoff * 2, LAST_BACKOFF);
  }
}
