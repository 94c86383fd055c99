/** Where an agent keeps its things. One root moves them all, so that several agents fit on one machine. */
import path from 'node:path';

export interface Paths {
  /** Unix socket of the API. */
  readonly socket: string;
  /** Durable state: node id, snapshot, attach journal. */
  readonly state: string;
  /** Directory on a bpffs for programs, maps and links. */
  readonly bpf: string;
}

/** Paths under `root`; the system's own without one. */
export function pathsFor(root?: string): Paths {
  if (root === undefined || root === '') {
    return { socket: '/run/plait/plait.sock', state: '/var/lib/plait', bpf: '/sys/fs/bpf/plait' };
  }
  const base = path.resolve(root);
  return {
    socket: path.join(base, 'run/plait.sock'),
    state: path.join(base, 'lib'),
    bpf: path.join(base, 'bpf'),
  };
}
