/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a CPU looked up last. A lookup in a hash map takes 35 to 50 ns where returns are mitigated, one in an array 4,
 * and a frame on its way needs two on each node. So each row that was found is copied to a place that its key chooses,
 * per CPU, and is good for as long as `generation` stands where it stood before the row was looked up. The agent raises
 * it after each write of these maps; from then on no CPU uses what it remembers. That is as with the maps themselves: a
 * frame sees the rows from before a write or from after it, and none from before once the writer has returned.
 *
 * While a write is under way the generation is odd, and nothing is remembered: a hash map gives the memory of a row
 * that it has replaced to the next one that is written, so that who copies it meanwhile may get somebody else's row.
 *
 * Only what was found is remembered, so nobody can fill this but by frames that are forwarded. Two rows of one place
 * push each other out, which costs the lookup again and a copy. Generation 0: nothing is remembered.
 *
 * A place is written and read with softirqs disabled, and nothing that a program calls receives another frame, so it is
 * never seen half written.
 */
#ifndef PLAIT_RECENT_H
#define PLAIT_RECENT_H

#include <stdbool.h>

#include "address.h"
#include "hash.h"
#include "maps.h"

static __always_inline __u64 current_generation(void)
{
	__u32 only = 0;
	const volatile __u64 *number = bpf_map_lookup_elem(&generation, &only);

	return number ? *number : 0;
}

static __always_inline bool is_current(__u64 remembered, __u64 now)
{
	return now && remembered == now;
}

/*
 * Between reading the generation and looking the row up, for CPUs that reorder reads: one that read the row first, and
 * the generation after it was raised, would take the old row for a current one until the next write. BPF's atomics are
 * ordered fully if they fetch, hence the use of what this one fetches.
 */
static __always_inline void order_reads(__u64 *remembered)
{
	__u64 fetched = __sync_fetch_and_or(remembered, 0);

	asm volatile("" : : "r"(fetched) : "memory");
}

/* What a place is marked with whose row was looked up in generation `now`. */
static __always_inline __u64 mark_of(__u64 now)
{
	return now & 1 ? 0 : now;
}

static __always_inline bool fdb_key_equal(const struct fdb_key *a, const struct fdb_key *b)
{
	const __u32 *x = (const void *)a, *y = (const void *)b;

	return !((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]));
}

static __always_inline const struct endpoint *find_endpoint(__u32 ifindex)
{
	__u32 place = ifindex % RECENT_ENDPOINTS;
	struct recent_endpoint *recent = bpf_map_lookup_elem(&recent_endpoints, &place);
	__u64 now = current_generation();
	struct endpoint *endpoint;

	if (!recent)
		return NULL;
	if (is_current(recent->generation, now) && recent->ifindex == ifindex)
		return &recent->endpoint;
	order_reads(&recent->generation);
	endpoint = bpf_map_lookup_elem(&endpoints, &ifindex);
	if (!endpoint)
		return NULL;
	recent->ifindex = ifindex;
	recent->endpoint = *endpoint;
	recent->generation = mark_of(now);
	return &recent->endpoint;
}

static __always_inline const struct fdb_entry *find_mac(const struct fdb_key *key)
{
	const __u32 *word = (const void *)key;
	__u32 place = mix(word[0] ^ word[1], word[2]) % RECENT_MACS;
	struct recent_mac *recent = bpf_map_lookup_elem(&recent_macs, &place);
	__u64 now = current_generation();
	struct fdb_entry *entry;

	if (!recent)
		return NULL;
	if (is_current(recent->generation, now) && fdb_key_equal(&recent->key, key))
		return &recent->entry;
	order_reads(&recent->generation);
	entry = bpf_map_lookup_elem(&fdb, key);
	if (!entry)
		return NULL;
	recent->key = *key;
	recent->entry = *entry;
	recent->generation = mark_of(now);
	return &recent->entry;
}

static __always_inline const struct sender *find_sender(__u32 vni, const struct addr *from)
{
	__u32 place = mix(vni ^ from->w[2], from->w[1] ^ from->w[3]) % RECENT_SENDERS;
	struct recent_sender *recent = bpf_map_lookup_elem(&recent_senders, &place);
	__u64 now = current_generation();
	struct sender_key key = { .vni = vni };
	struct sender *sender;

	if (!recent)
		return NULL;
	if (is_current(recent->generation, now) && recent->key.vni == vni && addr_equal(recent->key.addr.w, from->w))
		return &recent->sender;
	addr_copy(key.addr.w, from->w);
	order_reads(&recent->generation);
	sender = bpf_map_lookup_elem(&senders, &key);
	if (!sender)
		return NULL;
	recent->key = key;
	recent->sender = *sender;
	recent->generation = mark_of(now);
	return &recent->sender;
}

#endif
