/*
 * How long to wait for others (etcd, the kernel's tools, in tests for anything) was chosen for machines of ordinary
 * speed. On an emulated processor everybody is an order of magnitude slower and nobody is dead: the kernel matrix
 * sets PLAIT_TEST_TIME_FACTOR, and all of these limits grow by it. What the protocols say (leases, time to live,
 * grace) does not.
 */
const FACTOR = Number(process.env.PLAIT_TEST_TIME_FACTOR || 1);

/** A limit that was stated for a machine of ordinary speed, in the time of this one. */
export const patience = (milliseconds: number): number => milliseconds * FACTOR;
