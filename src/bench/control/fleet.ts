/* The simulated agents of a run, in as many processes as were asked for. */
import { fileURLToPath } from 'node:url';
import { PlaitError } from '../../model/errors.js';
import { WorkerProcess } from './calls.js';
import type { Cluster } from './cluster.js';
import { divide } from './plan.js';
import type { AgentSeat, WorkerMethods } from './worker.js';

const MODULE = fileURLToPath(new URL('./worker.js', import.meta.url));

type Process = WorkerProcess<WorkerMethods>;

export class Fleet {
  readonly #parts: readonly { readonly process: Process; readonly agents: readonly AgentSeat[] }[];
  readonly #processOf = new Map<number, Process>();

  constructor({ agents, nodes, networks }: Cluster, processes: number) {
    const placed = agents.flatMap(({ index, networks: own }): AgentSeat[] => {
      const node = nodes[index];
      return node ? [{ index, node, networks: own.flatMap((at) => networks[at] ?? []) }] : [];
    });
    this.#parts = divide(placed, processes).map((part) => {
      const process: Process = new WorkerProcess(MODULE);
      for (const { index } of part) this.#processOf.set(index, process);
      return { process, agents: part };
    });
  }

  /** All at once. Resolves when every agent is registered and complete: how long each took, ms. */
  async start(etcd: string): Promise<number[]> {
    const times = this.#parts.map(({ process, agents }) => process.call('start', { etcd, agents }));
    return (await Promise.all(times)).flat();
  }

  /** The process that has the agent. */
  of(agent: number): Process {
    const process = this.#processOf.get(agent);
    if (!process) throw new PlaitError('BENCH_FAILED', `ask agent ${agent}: no process has it`);
    return process;
  }

  /** Asks every process. */
  ask<T>(question: (process: Process) => Promise<T>): Promise<T[]> {
    return Promise.all(this.#parts.map(({ process }) => question(process)));
  }

  /** Ends the processes, whatever they are doing. */
  async end(): Promise<void> {
    await this.ask((process) => process.end());
  }
}
