// The host's side of the port over which a guest is told what to run (guest/plait-vm-agent is the other side).

import { randomBytes } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

export interface Result {
  stdout: string;
  stderr: string;
  status: number;
}

interface Call {
  stdout: string[];
  stderr: string[];
  onLine: ((line: string) => void) | undefined;
  resolve: (result: Result) => void;
  reject: (error: Error) => void;
}

export class Channel {
  readonly ready: Promise<void>;
  readonly #server: Server;
  readonly #calls = new Map<string, Call>();
  #socket: Socket | undefined;
  #closed: Error | undefined;
  #setReady: () => void = () => {};
  #setFailed: (error: Error) => void = () => {};

  private constructor(server: Server) {
    this.#server = server;
    this.ready = new Promise((resolve, reject) => {
      this.#setReady = resolve;
      this.#setFailed = reject;
    });
    this.ready.catch(() => {}); // seen by who waits for it
    server.once('connection', (socket) => this.#attach(socket));
  }

  /** Listens at a path for QEMU, which connects when it starts. */
  static listen(path: string): Promise<Channel> {
    const server = createServer();
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, () => resolve(new Channel(server)));
    });
  }

  /** Runs a bash script. `onLine` gets each line of its output when it comes. */
  call(script: string, onLine?: (line: string) => void): Promise<Result> {
    if (this.#closed) return Promise.reject(this.#closed);
    const nonce = randomBytes(8).toString('hex');
    return new Promise((resolve, reject) => {
      this.#calls.set(nonce, { stdout: [], stderr: [], onLine, resolve, reject });
      this.#socket?.write(`${nonce} ${Buffer.from(script).toString('base64')}\n`);
    });
  }

  /** Whatever is under way fails with this error, and so does all that comes later. */
  close(error: Error): void {
    if (this.#closed) return;
    this.#closed = error;
    this.#setFailed(error);
    for (const call of this.#calls.values()) call.reject(error);
    this.#calls.clear();
    this.#socket?.destroy();
    this.#server.close();
  }

  #attach(socket: Socket): void {
    this.#socket = socket;
    socket.on('error', () => {}); // the machine has ended, which its owner notices by itself
    createInterface({ input: socket, crlfDelay: Number.POSITIVE_INFINITY }).on('line', (line) =>
      this.#take(line),
    );
  }

  #take(line: string): void {
    if (line === 'ready') this.#setReady();
    const [nonce = '', kind] = line.split(' ', 2);
    const call = this.#calls.get(nonce);
    if (!call) return;
    const text = line.slice(nonce.length + 3);
    if (kind === 'x') {
      this.#calls.delete(nonce);
      call.resolve({ stdout: unlines(call.stdout), stderr: unlines(call.stderr), status: Number(text) });
      return;
    }
    (kind === 'e' ? call.stderr : call.stdout).push(text);
    call.onLine?.(text);
  }
}

const unlines = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');
