/* A gate for requests that change something: open all the agent's life, closed when this host leaves the cluster. */
import { PlaitError } from '../model/errors.js';

export class AgentLeaving extends PlaitError {
  constructor() {
    super('AGENT_LEAVING', 'change anything: this host is leaving the cluster', { isTransient: true });
  }
}

export class Gate {
  readonly #inside = new Set<Promise<unknown>>();
  #isClosed = false;

  /** Throws AgentLeaving when it is closed. */
  async pass<T>(work: () => Promise<T>): Promise<T> {
    if (this.#isClosed) throw new AgentLeaving();
    const working = work();
    this.#inside.add(working);
    try {
      return await working;
    } finally {
      this.#inside.delete(working);
    }
  }

  /** Resolves when all that passed have ended. */
  async close(): Promise<void> {
    if (this.#isClosed) throw new AgentLeaving();
    this.#isClosed = true;
    await Promise.allSettled(this.#inside);
  }

  open(): void {
    this.#isClosed = false;
  }
}
