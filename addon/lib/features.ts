import { native } from './native.js';

const known = new Map<string, boolean>();

function probe(name: string): () => boolean {
  return () => {
    const answer = known.get(name) ?? native.probe(name);
    known.set(name, answer);
    return answer;
  };
}

/**
 * What this kernel can do, found out by doing it in a throw-away network namespace, once per process. Lack of rights
 * is a BpfError, not a "no".
 */
export const features = {
  /** Links on tc hooks without a qdisc (since Linux 6.6). */
  tcx: probe('tcx'),
  /** netkit devices with BPF links (since Linux 6.7). */
  netkit: probe('netkit'),
  /** XDP by links (since Linux 5.9). */
  xdpLink: probe('xdpLink'),
  /** BPF_F_ADJ_ROOM_DECAP_L3_* of bpf_skb_adjust_room (since Linux 6.3). */
  decapL3: probe('decapL3'),
  /** Batch operations on maps (since Linux 5.6). */
  batch: probe('batch'),
  /** Ring buffer maps (since Linux 5.8). */
  ringBuffer: probe('ringBuffer'),
} as const;
