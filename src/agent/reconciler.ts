/*
 * Brings the maps to what the view says. Changes are only marked when they happen; a pass takes all that were
 * marked, once the event loop has delivered what came with them, and passes never overlap. Its cost grows with the
 * changes. A full compare, on a slow timer and after every relist, mends what anybody else did to the maps.
 *
 * Nothing is written before the view is known to be complete (`open`): the maps still hold what the last agent
 * knew, which is better than what a view that is still filling would make of them.
 */
import type { Logger } from 'pino';
import type { AllRows, DesiredRows } from '../model/desired.js';
import type { RowChanges } from '../model/rows.js';
import type { ClusterView } from '../model/view.js';

/** Where rows go. */
export interface RowSink {
  /** Makes the rows of these VTEPs usable, before other rows refer to them. */
  addVteps(addresses: Iterable<string>): Promise<void>;
  /** Gives up the VTEPs that nobody refers to any more. */
  keepVteps(addresses: Iterable<string>): void;
  apply(changes: RowChanges): void;
  /** Makes the tables hold exactly these rows; returns how many differed. */
  replace(rows: AllRows): number;
  /** Puts programs back where somebody detached them; returns how many. */
  mend(): Promise<number>;
  /** Called when the networks that are live here, or their records, changed. */
  setLiveNetworks(ids: ReadonlySet<string>): Promise<void>;
}

export interface ReconcilerOptions {
  readonly view: ClusterView;
  readonly desired: DesiredRows;
  readonly sink: RowSink;
  readonly log: Logger;
  /** Runs after a pass that took changes. */
  readonly onPass?: () => void;
  readonly fullCompareMs?: number;
}

export class Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #timer: NodeJS.Timeout;
  #open = false;
  #closed = false;
  #compare = false;
  #pending: Promise<void> | undefined;
  #running: Promise<void> = Promise.resolve();
  #liveKey = '';
  /** `desired.vtepsVersion` as of the last pass that gave the sink its VTEPs; -1 when they must be given again. */
  #vteps = -1;
  #settling: Promise<void> = Promise.resolve();
  /** Last failure; passes are tried again on the next change and on the slow timer. */
  failure: Error | undefined;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
    this.#timer = setInterval(
      () => void this.compare().catch(() => undefined),
      options.fullCompareMs ?? 60_000,
    );
  }

  /** A pass is due or under way. */
  get marked(): boolean {
    return this.#pending !== undefined;
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /** The view is complete: from now on the maps follow it. Resolves when they do. */
  open(): Promise<void> {
    this.#open = true;
    return this.compare();
  }

  /** Resolves when all that was marked before the call is in the maps; rejects when that failed. */
  flush(): Promise<void> {
    this.#pending ??= this.#schedule();
    return this.#pending;
  }

  /**
   * Resolves when what goes with the rows of the last pass is done too: gateways and the way out. Apart from `flush`,
   * because it takes other programs and so longer than all rows together, and no packet between containers needs it.
   */
  settled(): Promise<void> {
    return this.#settling;
  }

  /** Something changed and nobody waits for it. */
  kick(): void {
    void this.flush().catch(() => undefined);
  }

  /** Compares everything, whatever is marked. */
  compare(): Promise<void> {
    this.#compare = true;
    return this.flush();
  }

  kickCompare(): void {
    void this.compare().catch(() => undefined);
  }

  kickOpen(): void {
    void this.open().catch(() => undefined);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    await this.#pending?.catch(() => undefined);
    await this.#running;
    await this.#settling.catch(() => undefined);
  }

  async #schedule(): Promise<void> {
    await Promise.all([this.#running, new Promise((resolve) => setImmediate(resolve))]);
    this.#pending = undefined;
    const pass = this.#pass();
    this.#running = pass.catch(() => undefined);
    return pass;
  }

  async #pass(): Promise<void> {
    const { desired, onPass } = this.#options;
    const dirty = this.#options.view.takeDirty();
    if (dirty.nodes.size > 0) this.#vteps = -1;
    desired.update(dirty);
    if (!this.#open || this.#closed) return;
    const compare = this.#compare;
    this.#compare = false;
    try {
      await this.#write(compare);
    } catch (error) {
      // What the failed pass took from `desired` is found again by a full compare.
      this.#compare = true;
      throw this.#failed(error);
    }
    this.failure = undefined;
    this.#settling = this.#settling
      .catch(() => undefined)
      .then(() => this.#settleLiveNetworks(compare))
      .catch((error) => {
        throw this.#failed(error);
      });
    this.#settling.catch(() => undefined); // told by now, whether somebody waits or not
    onPass?.();
  }

  #failed(error: unknown): Error {
    this.failure = error instanceof Error ? error : new Error(String(error));
    this.#options.log.error({ err: error }, 'could not bring the node up to date');
    return this.failure;
  }

  async #write(compare: boolean): Promise<void> {
    const { desired, sink, log } = this.#options;
    const changes = desired.takeChanges();
    // As many as the cluster has nodes: looked at when they may have changed, lest every pass grows with the cluster.
    const version = desired.vtepsVersion;
    const hasVteps = !compare && this.#vteps === version;
    if (!hasVteps) await sink.addVteps(desired.vteps().keys());
    if (compare) {
      const differed = sink.replace(desired.all());
      const detached = await sink.mend();
      if (differed > 0 || detached > 0) {
        log.info({ rows: differed, links: detached }, 'full compare mended the datapath');
      }
    } else sink.apply(changes);
    if (hasVteps) return;
    sink.keepVteps(desired.vteps().keys());
    this.#vteps = version;
  }

  async #settleLiveNetworks(compare: boolean): Promise<void> {
    const { desired, sink, view } = this.#options;
    if (this.#closed) return;
    const live = desired.liveNetworks();
    const key = JSON.stringify([...live].sort().map((id) => view.networks.get(id)));
    if (key === this.#liveKey && !compare) return;
    await sink.setLiveNetworks(live);
    this.#liveKey = key;
  }
}
