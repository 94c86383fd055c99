import type { Program } from './datapath.js';

/**
 * Most instructions that the verifier may walk per program, on any kernel; the kernel's own limit is a million. Room to
 * grow without noticing is what this takes away: who needs more raises it here, in the commit that needs it.
 */
export const VERIFIER_LIMITS: Readonly<Record<Program, number>> = {
  from_container: 20000,
  from_underlay: 6000,
  from_host: 4000,
  from_vxlan: 2000,
  underlay_filter: 1500,
  underlay_deliver: 4800,
};
