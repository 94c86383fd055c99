/*
 * What becomes of an endpoint of this node when the agent starts, or compares everything: decided from the three
 * places where it leaves a trace. Pure.
 *
 * The journal is written first and removed last, so an endpoint without a journal entry was never attached here (or
 * the state directory is new) and nobody waits for it. While etcd is away its side is unknown, and whatever is
 * decided for it has to wait; the links do not wait for etcd.
 */

export type Phase = 'attaching' | 'attached' | 'detaching';

export interface Traces {
  journal: Phase | 'none';
  store: 'present' | 'absent' | 'unknown';
  /** Whether the host end of its veth exists; the other end shares its fate. */
  link: boolean;
}

/**
 * adopt: keep it, it is complete. register: keep it and write it to etcd again, which has lost it (a restored
 * backup). undo: remove every trace that can be reached now; what cannot stays queued in the journal. none: nothing
 * is left of it.
 */
export type Recovery = 'adopt' | 'register' | 'undo' | 'none';

export function decideRecovery({ journal, store, link }: Traces): Recovery {
  if (journal === 'none') return store === 'present' || link ? 'undo' : 'none';
  if (journal !== 'attached' || !link) return 'undo';
  return store === 'absent' ? 'register' : 'adopt';
}
