/* What has been opened and must be given back: last in, first out, each once, whatever fails in between. */
import type { Logger } from 'pino';

export class Releasers {
  #stack: { name: string; release: () => void | Promise<void> }[] = [];

  push(name: string, release: () => void | Promise<void>): void {
    this.#stack.push({ name, release });
  }

  async release(log: Logger): Promise<void> {
    for (;;) {
      const top = this.#stack.pop();
      if (top === undefined) return;
      try {
        await top.release();
      } catch (error) {
        log.warn({ err: error, resource: top.name }, 'could not release a resource');
      }
    }
  }
}
