/*
 * How the records of one kind get from etcd into the view, and what is to be distrusted on the way.
 *
 * A record that cannot be read is reported, and the one before it stays. And an etcd whose revision is lower than one
 * seen before has been restored from a backup, or replaced: what it lacks now is not what somebody removed. Each agent
 * writes again what is attached to its node; until all have had the time, what is missing stays.
 */
import type { Logger } from 'pino';
import type { BadRecord } from '../model/errors.js';
import type { RecordHandlers } from '../store/watch.js';
import type { StoreHealth } from './store-health.js';

/** One kind of records in the view. */
export interface Scope<T> {
  /** For a person: what the records are. */
  readonly noun: string;
  readonly idOf: (record: T) => string;
  /** Those that the view has. */
  readonly known: () => Iterable<string>;
  readonly put: (record: T) => void;
  readonly remove: (id: string) => unknown;
  readonly replace: (records: readonly T[], keep: ReadonlySet<string>) => void;
}

export interface ScopeOptions {
  readonly health: StoreHealth;
  readonly log: Logger;
  /** For a person: records that cannot be read. */
  readonly notices: Map<string, string>;
  readonly onChange: () => void;
  readonly onRelist: () => void;
  readonly history: History;
}

/** The course of etcd's revision, which all scopes of a cluster share. */
export class History {
  #revision: string | undefined;
  #restoredAt = Number.NEGATIVE_INFINITY;
  readonly graceMs: number;

  constructor(revision: string | undefined, graceMs: number) {
    this.#revision = revision;
    this.graceMs = graceMs;
  }

  get revision(): string | undefined {
    return this.#revision;
  }

  heard(revision: string): void {
    if (BigInt(revision) > BigInt(this.#revision ?? '0')) this.#revision = revision;
  }

  /**
   * Takes in the revision of a list; true when the list is that of an etcd that went back. `before` is the revision
   * that was known when the list was asked for: what others heard meanwhile may well be newer.
   */
  listed(revision: string, before: string | undefined): boolean {
    if (BigInt(revision) < BigInt(before ?? '0')) {
      this.#restoredAt = performance.now();
      this.#revision = revision;
    } else this.heard(revision);
    return performance.now() - this.#restoredAt < this.graceMs;
  }
}

export class RecordScope<T> implements RecordHandlers<T> {
  readonly #scope: Scope<T>;
  readonly #options: ScopeOptions;
  /** Ids that an etcd that went back did not have. */
  #missing = new Set<string>();
  #grace: NodeJS.Timeout | undefined;
  #wasListed = false;
  /** The revision that was known before the next list: at the start, and when a watch has ended. */
  #before: string | undefined;
  /** Keys of records that cannot be read, as in the notices. */
  readonly #bad = new Set<string>();

  constructor(scope: Scope<T>, options: ScopeOptions) {
    this.#scope = scope;
    this.#options = options;
    this.#before = options.history.revision;
  }

  readonly onList = (records: T[], unreadable: ReadonlySet<string>, revision: string): void => {
    const { history, health, onRelist, onChange } = this.#options;
    const wentBack = history.listed(revision, this.#before);
    health.contact();
    this.#keepBad(unreadable);
    this.#missing = wentBack ? this.#notIn(records, unreadable) : new Set();
    if (this.#missing.size > 0) this.#waitForThem(revision);
    this.#scope.replace(records, new Set([...unreadable, ...this.#missing]));
    if (this.#wasListed) onRelist();
    else onChange();
    this.#wasListed = true;
  };

  readonly onPut = (record: T, revision: string): void => {
    const { history, health, onChange } = this.#options;
    history.heard(revision);
    health.contact();
    const id = this.#scope.idOf(record);
    this.#missing.delete(id);
    this.#isGood(id);
    this.#scope.put(record);
    onChange();
  };

  readonly onDelete = (id: string): void => {
    this.#options.health.contact();
    this.#missing.delete(id);
    this.#isGood(id);
    this.#scope.remove(id);
    this.#options.onChange();
  };

  readonly onBad = (error: BadRecord): void => {
    const { log, notices } = this.#options;
    const id = error.key.slice(error.key.lastIndexOf('/') + 1);
    this.#bad.add(id);
    notices.set(this.#notice(id), `a record in etcd is skipped: ${error.message}`);
    log.warn({ key: error.key, err: error }, 'skipped a record that cannot be read');
  };

  readonly onError = (error: Error): void => {
    const { health, log, history } = this.#options;
    this.#before = history.revision;
    if (health.lost(error)) log.warn({ reason: error.message }, 'etcd is not reachable');
  };

  /** Nobody follows them any more. */
  close(): void {
    clearTimeout(this.#grace);
    this.#keepBad(new Set());
  }

  #notIn(records: readonly T[], unreadable: ReadonlySet<string>): Set<string> {
    const listed = new Set(records.map(this.#scope.idOf));
    return new Set([...this.#scope.known()].filter((id) => !listed.has(id) && !unreadable.has(id)));
  }

  #waitForThem(revision: string): void {
    const { log, notices, history, onChange } = this.#options;
    const { noun } = this.#scope;
    const notice = `restored ${noun}`;
    const text = `etcd went back to revision ${revision}, as when it is restored or replaced`;
    notices.set(notice, `${text}: ${noun} that it lacks stay as they were for ${history.graceMs / 1000} s`);
    log.warn({ revision, [noun]: this.#missing.size }, `${text}: what it lacks stays for now`);
    clearTimeout(this.#grace);
    this.#grace = setTimeout(() => {
      notices.delete(notice);
      for (const id of this.#missing) this.#scope.remove(id);
      if (this.#missing.size > 0) log.warn({ [noun]: this.#missing.size }, 'gave up what etcd has lost');
      this.#missing = new Set();
      onChange();
    }, history.graceMs);
    this.#grace.unref();
  }

  #keepBad(ids: ReadonlySet<string>): void {
    for (const id of [...this.#bad]) if (!ids.has(id)) this.#isGood(id);
  }

  #isGood(id: string): void {
    if (this.#bad.delete(id)) this.#options.notices.delete(this.#notice(id));
  }

  #notice(id: string): string {
    return `record ${this.#scope.noun} ${id}`;
  }
}
