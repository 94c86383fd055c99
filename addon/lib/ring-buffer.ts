import type { BpfMap } from './map.js';
import { native } from './native.js';

export interface RingBuffer {
  /** Reads what is there now instead of waiting for the event loop. */
  flush(): void;
  /** Keeps the process alive while open; by default it does not. */
  ref(): void;
  unref(): void;
  /** Stops; safe inside onRecord, twice is fine. */
  close(): void;
}

/**
 * Calls `onRecord` on the event loop with each record (a copy) of a ringbuf map (since Linux 5.8), at most 1024 per
 * turn. What onRecord throws becomes an uncaught exception. The map may be closed meanwhile.
 *
 * A ring has one reader: EBUSY when this process reads it already. Against a second process there is no guard but
 * this: reading ends with an uncaught EBADMSG when the other one has taken records away in the middle of a turn.
 */
export function ringBuffer(map: BpfMap, onRecord: (record: Buffer) => void): RingBuffer {
  const reader = new native.NativeRingBuffer(map.native, onRecord);
  return {
    flush: () => reader.flush(),
    ref: () => reader.keepAlive(true),
    unref: () => reader.keepAlive(false),
    close: () => reader.close(),
  };
}
