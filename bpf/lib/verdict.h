/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How a program on skbs ends. Helpers return >= 0, a verdict, or < 0, a -DROP_…; finish() is the only place that
 * turns either into an action and that counts a drop, so a frame is counted once.
 */
#ifndef PLAIT_VERDICT_H
#define PLAIT_VERDICT_H

#include <linux/pkt_cls.h>

#include "drops.h"
#include "transmit.h"

static __always_inline void drop(struct __sk_buff *skb, const struct frame *frame, __u32 reason)
{
	struct drop_event *event;
	__u32 size;

	count_drop(frame, reason);
	event = new_sample(frame, reason, skb->ifindex);
	if (!event)
		return;
	size = sample_size(skb->len);
	submit_sample(event, bpf_skb_load_bytes(skb, 0, event->head, size) ? 0 : size);
}

static __always_inline int finish(struct __sk_buff *skb, const struct frame *frame, int verdict)
{
	if (verdict == PASS)
		return TC_ACT_UNSPEC;
	if (verdict == DONE)
		return discard(skb); /* tcx knows no TC_ACT_STOLEN */
	if (verdict == ANSWERED) {
		drop(skb, frame, DROP_TOO_BIG_ANSWERED);
		return bpf_redirect(skb->ifindex, 0);
	}
	if (verdict >= 0)
		return verdict;
	drop(skb, frame, -verdict);
	return discard(skb);
}

#endif
