/* What has been opened and must be given back: last in, first out, each once, whatever fails in between. */
import type { Logger } from 'pino';

export class Releasers {
  #stack: { name: string; release: () => void | Promise<void> }[] = [];

  push(name: string, release: () => void | Promise<void>): void {
    this.#stack.push({ name, release });
  }

  /** @param kept names of what is not given back yet */
  async release(log: Logger, kept: readonly string[] = []): Promise<void> {
    const stays = this.#stack.filter(({ name }) => kept.includes(name));
    const goes = this.#stack.filter(({ name }) => !kept.includes(name));
    this.#stack = stays;
    for (;;) {
      const top = goes.pop();
      if (top === undefined) return;
      try {
        await top.release();
      } catch (error) {
        log.warn({ err: error, resource: top.name }, 'could not release a resource');
      }
    }
  }
}
