/**
 * The sign of life of a node: a key under a lease that is renewed three times in its life. A lease that was lost
 * (etcd away for longer, this process stopped) is replaced by a new one as soon as etcd answers; a key that
 * somebody removed is put back.
 */
import type { PlaitError } from '../model/errors.js';
import { asPlaitError } from './failures.js';
import { aliveKey } from './keys.js';
import { put } from './operations.js';
import type { Store } from './store.js';

export interface AliveOptions {
  readonly ttlSeconds?: number;
  /** The key is there; after the start and after each time it was lost. */
  readonly onAlive?: () => void;
  /** Renewing failed; it will be tried again. The key may still be there. */
  readonly onLost?: (error: PlaitError) => void;
}

export interface KeptAlive {
  /**
   * Stops and takes the key away, so that others need not wait for the lease to end. `leave`: lets it end by itself,
   * for who is back in a moment.
   */
  close(options?: { readonly leave?: boolean }): Promise<void>;
}

const TTL_SECONDS = 15;
const RETRY_MS = 1000;

/** Starts at once and never fails: an etcd that is away is waited for. */
export function keepAlive(store: Store, node: string, options: AliveOptions = {}): KeptAlive {
  const ttl = options.ttlSeconds ?? TTL_SECONDS;
  const key = aliveKey(node);
  let lease: string | undefined;
  let isClosed = false;
  let wake = (): void => {};

  async function renew(): Promise<void> {
    if (lease !== undefined && !(await store.renewLease(lease))) lease = undefined;
    if (lease !== undefined && (await store.get(key))) return;
    lease ??= await store.grantLease(ttl);
    await store.txn([], [put(key, '', lease)]);
    options.onAlive?.();
  }

  async function run(): Promise<void> {
    while (!isClosed) {
      let wait = (ttl * 1000) / 3;
      try {
        await renew();
      } catch (error) {
        options.onLost?.(asPlaitError(error, store.where));
        wait = Math.min(wait, RETRY_MS);
      }
      if (isClosed) return;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, wait);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  const running = run();
  return {
    async close({ leave = false } = {}) {
      isClosed = true;
      wake();
      await running;
      if (!leave && lease !== undefined) await store.revokeLease(lease).catch(() => undefined);
    },
  };
}
