/*
 * What becomes of an endpoint of this node when the agent starts: decided from the traces on this host, which do not
 * wait for etcd. Pure.
 *
 * The journal is written first and removed last, so an interface without a journal entry was never attached, and
 * nobody waits for it. What etcd says comes later and changes no decision: a record that no entry knows is removed
 * (startup.ts), and an attached endpoint that etcd lacks is written again (a restored backup), see cluster-watch.ts.
 */

export type Phase = 'attaching' | 'attached' | 'detaching';

export interface Traces {
  readonly journal: Phase | 'none';
  /** Whether the host end of its veth exists; the other end shares its fate. */
  readonly link: boolean;
}

/**
 * adopt: keep it, it is complete. undo: remove every trace that can be reached; what cannot stays queued in the
 * journal. none: there is nothing of it.
 */
export type Recovery = 'adopt' | 'undo' | 'none';

export function decideRecovery({ journal, link }: Traces): Recovery {
  if (journal === 'none') return link ? 'undo' : 'none';
  return journal === 'attached' && link ? 'adopt' : 'undo';
}
