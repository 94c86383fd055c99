/* Follows the host's own network: the underlay device, and the routes to the other nodes. */
import type { Logger } from 'pino';
import type { Datapath } from '../datapath/datapath.js';
import { followNetwork } from '../net/monitor.js';

export interface HostWatchOptions {
  readonly datapath: Datapath;
  readonly log: Logger;
  /** For a person: what is wrong with the underlay. */
  readonly notices: Map<string, string>;
  /** The underlay's device or MTU is another one. */
  readonly onUnderlayChange: () => void;
}

const notice = 'underlay';

export class HostWatch {
  readonly #options: HostWatchOptions;
  readonly #monitor: { close(): void };
  #running: Promise<void> | undefined;
  #again = false;

  constructor(options: HostWatchOptions) {
    this.#options = options;
    this.#monitor = followNetwork(() => this.#refresh(), {
      onRestart: (reason) => options.log.warn({ reason }, 'the network monitor was started again'),
    });
  }

  async close(): Promise<void> {
    this.#monitor.close();
    this.#again = false;
    await this.#running;
  }

  /** One look at a time; what changes during a look is seen by the next. */
  #refresh(): void {
    this.#again = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  async #run(): Promise<void> {
    const { datapath, log, notices, onUnderlayChange } = this.#options;
    while (this.#again) {
      this.#again = false;
      try {
        const changed = await datapath.refreshUnderlay();
        notices.delete(notice);
        if (!changed) continue;
        log.info({ ...datapath.underlay }, 'the underlay changed');
        onUnderlayChange();
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        notices.set(notice, `the underlay is not as it should be: ${reason}`);
        log.warn({ err: error }, 'could not look at the underlay');
      }
    }
  }
}
