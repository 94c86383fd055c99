/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Verdicts, and what a drop leaves behind: a count always, a sample while the budget lasts. The same for programs on
 * skbs (verdict.h) and on XDP (filter.h), which differ in how they read a packet and in what they call an action.
 */
#ifndef PLAIT_DROPS_H
#define PLAIT_DROPS_H

#include <stdbool.h>

#include "config.h"
#include "maps.h"

/* Verdicts besides TC_ACT_REDIRECT and XDP_REDIRECT (what bpf_redirect*() return). */
#define GO_ON 0        /* nothing decided: the next step decides */
#define PASS 0x100     /* not for us: whoever is next, in the end the kernel's stack */
#define DONE 0x101     /* not needed any more, and no drop: copies are on their way, or nobody wants it */
#define ANSWERED 0x102 /* too big: the skb now holds the answer to its sender */

#define NO_SLOT (~0u)

/* What a program has learnt of its frame, for whoever counts. */
struct frame {
	enum hook hook;
	__u32 vni;  /* 0: not known yet */
	__u32 slot; /* of the endpoint that sent it, in endpoint_counters; NO_SLOT */
	__u32 len;  /* bytes, as it came */
};

static __always_inline void count_drop(const struct frame *frame, __u32 reason)
{
	struct counter *counter = bpf_map_lookup_elem(&drops, &reason);
	struct traffic *traffic;

	if (counter) {
		counter->packets++;
		counter->bytes += frame->len;
	}
	if (frame->slot != NO_SLOT) {
		traffic = bpf_map_lookup_elem(&endpoint_counters, &frame->slot);
		if (traffic)
			traffic->drops++;
	}
}

/*
 * True while this CPU's budget for the reason lasts. A second is 2^30 ns here, which needs no division. The coarse
 * clock moves with the ticks: once the budget is used up it is asked once a tick, which takes half of a drop's cost in
 * a flood away.
 */
static __always_inline bool may_sample(__u32 reason)
{
	struct sample_budget *budget = bpf_map_lookup_elem(&sample_budgets, &reason);
	__u64 tick = bpf_jiffies64();
	__u64 second;

	if (!budget)
		return false;
	if (budget->used >= drop_samples_per_second && budget->tick == tick)
		return false;
	budget->tick = tick;
	second = bpf_ktime_get_coarse_ns() >> 30;
	if (budget->second != second) {
		budget->second = second;
		budget->used = 0;
	}
	return budget->used++ < drop_samples_per_second;
}

/*
 * How much of a packet of `len` bytes a sample shows. The verifier has to see that it is at least one byte and at most
 * the array (6.1 asks for both). The compiler would test another register than it passes, if it knew what this one
 * holds.
 */
static __always_inline __u32 sample_size(__u32 len)
{
	__u32 last = len - 1;

	asm volatile("" : "+r"(last));
	if (last >= DROP_SAMPLE_LEN)
		last = DROP_SAMPLE_LEN - 1;
	return last + 1;
}

/* For the caller to copy the packet's head into, and to submit. NULL: the budget is used up, or the ring is full. */
static __always_inline struct drop_event *new_sample(const struct frame *frame, __u32 reason, __u32 ifindex)
{
	struct drop_event *event;

	if (!may_sample(reason))
		return NULL;
	event = bpf_ringbuf_reserve(&drop_events, sizeof(*event), 0);
	if (!event)
		return NULL;
	__builtin_memset(event->head, 0, sizeof(event->head));
	event->time_ns = bpf_ktime_get_ns();
	event->reason = reason;
	event->hook = frame->hook;
	event->ifindex = ifindex;
	event->vni = frame->vni;
	event->len = frame->len;
	return event;
}

static __always_inline void submit_sample(struct drop_event *event, __u32 captured)
{
	event->captured = captured;
	bpf_ringbuf_submit(event, 0);
}

#endif
