/*
 * Calls between the process that leads a run and its workers, over the channel that Node gives a forked process.
 * A worker whose leader is gone ends by itself.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { PlaitError } from '../../model/errors.js';

/** Methods of the other side; arguments and results are cloned. */
export type Methods = Record<string, (argument: never) => unknown>;

interface Call {
  readonly number: number;
  readonly method: string;
  readonly argument: unknown;
}

type Answer = { readonly number: number } & ({ readonly result: unknown } | { readonly error: string });

type Waiting = { resolve: (result: never) => void; reject: (error: Error) => void };

const GRACE_MS = 5000;

export class WorkerProcess<M extends Methods> {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  #calls = 0;

  constructor(module: string, execArgv: readonly string[] = []) {
    this.#child = fork(module, { serialization: 'advanced', execArgv: [...execArgv] });
    this.#child.on('message', (answer: Answer) => this.#answered(answer));
    this.#child.on('exit', (code, signal) => {
      const reason = `a worker process ended (${signal ?? `exit code ${code}`})`;
      for (const { reject } of this.#waiting.values()) {
        reject(new PlaitError('WORKER_ENDED', `run the benchmark: ${reason}`));
      }
      this.#waiting.clear();
    });
    this.#child.on('error', () => undefined); // told by what waits for an answer
  }

  call<N extends keyof M & string>(
    method: N,
    ...[argument]: Parameters<M[N]>
  ): Promise<Awaited<ReturnType<M[N]>>> {
    this.#calls += 1;
    const call: Call = { number: this.#calls, method, argument };
    return new Promise((resolve, reject) => {
      this.#waiting.set(call.number, { resolve, reject });
      this.#child.send(call, (error) => {
        if (!error) return;
        this.#waiting.delete(call.number);
        reject(new PlaitError('WORKER_ENDED', `ask a worker process: ${error.message}`));
      });
    });
  }

  /** Ends the process: asks, waits, insists. */
  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    if (this.#child.connected) this.#child.disconnect();
    const insist = setTimeout(() => this.#child.kill('SIGKILL'), GRACE_MS);
    await exited;
    clearTimeout(insist);
  }

  #answered(answer: Answer): void {
    const waiting = this.#waiting.get(answer.number);
    this.#waiting.delete(answer.number);
    if ('error' in answer) waiting?.reject(new PlaitError('BENCH_FAILED', answer.error));
    else waiting?.resolve(answer.result as never);
  }
}

/** Answers the leader's calls in a worker, until the leader is gone. */
export function serveCalls(methods: Methods): void {
  process.on('message', async ({ number, method, argument }: Call) => {
    const answer = await run(methods[method], argument);
    if (process.connected) process.send?.({ number, ...answer });
  });
  process.on('disconnect', () => process.exit());
  // A terminal's interrupt reaches the whole group: it is the leader that ends the workers.
  process.on('SIGINT', () => undefined);
}

async function run(
  method: Methods[string] | undefined,
  argument: unknown,
): Promise<{ result: unknown } | { error: string }> {
  try {
    return { result: await method?.(argument as never) };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}
