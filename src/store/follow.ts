/**
 * Follows a prefix: list it at a revision, then watch from there. Whatever ends the watch (etcd restarted, a dead
 * connection, the revision compacted away, a listener that throws) leads to a new list after a pause, so that
 * what is told converges to what is stored; a watch is never resumed, since a restored etcd may count its
 * revisions anew. Pauses grow and are jittered, lest all nodes come back in the same instant.
 *
 * Between two lists no event is lost, told twice or told out of order.
 */
import type { IWatchCreateRequest, IWatchResponse, WatchClient } from 'etcd3';
import { type PlaitError, StoreUnavailable } from '../model/errors.js';
import { pauseUnless } from '../pause.js';
import { asPlaitError } from './failures.js';
import { endOf } from './operations.js';
import type { Entry, Store } from './store.js';

export interface FollowHandlers {
  /** Everything there is; replaces all that was told before. */
  readonly onList: (entries: Entry[], revision: string) => void;
  readonly onPut: (entry: Entry) => void;
  readonly onDelete: (key: string) => void;
  /** etcd is away; following goes on by itself. Told once per failed attempt. */
  readonly onError?: ((error: PlaitError) => void) | undefined;
}

export interface Follower {
  /** Resolves after the first list, or when closed before it. */
  readonly synced: Promise<void>;
  /** No handler is called afterwards. */
  close(): Promise<void>;
}

type WatchStream = Awaited<ReturnType<WatchClient['watch']>>;

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

export function follow(store: Store, prefix: string, handlers: FollowHandlers): Follower {
  const closing = new AbortController();
  let resolveSynced = (): void => {};
  const synced = new Promise<void>((resolve) => {
    resolveSynced = resolve;
  });

  async function run(): Promise<void> {
    let pause = FIRST_PAUSE_MS;
    while (!closing.signal.aborted) {
      try {
        const { entries, revision } = await store.list(prefix);
        if (closing.signal.aborted) return;
        handlers.onList(entries, revision);
        resolveSynced();
        await watch(store, prefix, revision, handlers, closing.signal, () => {
          pause = FIRST_PAUSE_MS;
        });
      } catch (error) {
        if (closing.signal.aborted) return;
        handlers.onError?.(asPlaitError(error, store.where));
        await pauseUnless(closing.signal, pause * (0.5 + Math.random() / 2));
        pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
      }
    }
  }

  const running = run().finally(resolveSynced);
  return {
    synced,
    async close() {
      closing.abort();
      await running;
    },
  };
}

/** Resolves when closing; rejects when the watch ends otherwise. `onWatching` tells that etcd has accepted it. */
async function watch(
  store: Store,
  prefix: string,
  revision: string,
  handlers: FollowHandlers,
  closing: AbortSignal,
  onWatching: () => void,
): Promise<void> {
  const stream = await store.openWatch();
  const ended = new AbortController();
  try {
    await new Promise<void>((resolve, reject) => {
      closing.addEventListener('abort', () => resolve(), { signal: ended.signal });
      if (closing.aborted) resolve();
      stream.on('error', reject);
      stream.on('end', () => reject(new StoreUnavailable(`watch ${prefix}: etcd ended the stream`)));
      stream.on('data', (response) => {
        if (closing.aborted || ended.signal.aborted) return;
        try {
          if (response.canceled) throw canceled(store, prefix, response);
          if (response.created) onWatching();
          tell(response, handlers);
        } catch (error) {
          ended.abort();
          reject(error);
        }
      });
      stream.write({ create_request: watchRequest(prefix, revision) });
    });
  } finally {
    ended.abort();
    endStream(stream);
  }
}

function watchRequest(prefix: string, revision: string): IWatchCreateRequest {
  const next = (BigInt(revision) + 1n).toString();
  return { key: Buffer.from(prefix), range_end: endOf(prefix), start_revision: next };
}

function tell(response: IWatchResponse, handlers: FollowHandlers): void {
  for (const { type, kv } of response.events) {
    const key = kv.key.toString();
    if (type === 'Delete') handlers.onDelete(key);
    else handlers.onPut({ key, value: kv.value.toString(), modRevision: kv.mod_revision });
  }
}

function canceled(store: Store, prefix: string, response: IWatchResponse): PlaitError {
  const compacted = response.compact_revision !== '0';
  const reason = compacted ? `compacted up to revision ${response.compact_revision}` : response.cancel_reason;
  return new StoreUnavailable(`watch ${prefix} of etcd at ${store.where}: ${reason}`);
}

/**
 * Cancelling makes the stream emit an error, which nobody waits for any more. It is ended first: etcd3 takes an error
 * of a writable stream for a broken connection, and drops every connection that this process has.
 */
function endStream(stream: WatchStream): void {
  stream.on('error', () => undefined);
  stream.end();
  stream.cancel();
}
