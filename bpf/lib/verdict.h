/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How a program ends. Helpers return >= 0, a verdict, or < 0, a -DROP_…; finish() is the only place that turns
 * either into an action and that counts a drop, so a frame is counted once.
 */
#ifndef PLAIT_VERDICT_H
#define PLAIT_VERDICT_H

#include <linux/pkt_cls.h>

#include "config.h"
#include "maps.h"

/* Verdicts besides TC_ACT_REDIRECT (what bpf_redirect*() return). */
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

/* True while this CPU's budget for the reason lasts. A second is 2^30 ns here, which needs no division. */
static __always_inline bool may_sample(__u32 reason)
{
	struct sample_budget *budget = bpf_map_lookup_elem(&sample_budgets, &reason);
	__u64 second = bpf_ktime_get_coarse_ns() >> 30;

	if (!budget)
		return false;
	if (budget->second != second) {
		budget->second = second;
		budget->used = 0;
	}
	return budget->used++ < drop_samples_per_second;
}

static __always_inline void sample_drop(struct __sk_buff *skb, const struct frame *frame, __u32 reason)
{
	struct drop_event *event = bpf_ringbuf_reserve(&drop_events, sizeof(*event), 0);
	__u32 last = skb->len - 1;

	if (!event)
		return;
	/*
	 * The verifier has to see that at least one byte and at most the array is copied (6.1 asks for both). The
	 * compiler would test another register than it passes, if it knew what this one holds.
	 */
	asm volatile("" : "+r"(last));
	if (last >= sizeof(event->head))
		last = sizeof(event->head) - 1;
	__builtin_memset(event->head, 0, sizeof(event->head));
	event->time_ns = bpf_ktime_get_ns();
	event->reason = reason;
	event->hook = frame->hook;
	event->ifindex = skb->ifindex;
	event->vni = frame->vni;
	event->len = frame->len;
	event->captured = last + 1;
	if (bpf_skb_load_bytes(skb, 0, event->head, last + 1))
		event->captured = 0;
	bpf_ringbuf_submit(event, 0);
}

static __always_inline void count_drop(struct __sk_buff *skb, const struct frame *frame, __u32 reason)
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
	if (may_sample(reason))
		sample_drop(skb, frame, reason);
}

static __always_inline int finish(struct __sk_buff *skb, const struct frame *frame, int verdict)
{
	if (verdict == PASS)
		return TC_ACT_UNSPEC;
	if (verdict == DONE)
		return TC_ACT_SHOT; /* tcx knows no TC_ACT_STOLEN */
	if (verdict == ANSWERED) {
		count_drop(skb, frame, DROP_TOO_BIG_ANSWERED);
		return bpf_redirect(skb->ifindex, 0);
	}
	if (verdict >= 0)
		return verdict;
	count_drop(skb, frame, -verdict);
	return TC_ACT_SHOT;
}

#endif
