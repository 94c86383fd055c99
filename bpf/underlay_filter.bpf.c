// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * XDP on the underlay device, before there is an skb: VXLAN for this node that is wrong, or that nobody who is listed
 * sent, ends here for a fraction of what it costs later. It changes nothing: what is good, odd or not ours goes on to
 * GRO, tcx and the stack.
 *
 * What from_underlay finds out with one lookup more (UNKNOWN_MAC, ECN) stays its business: that costs good frames,
 * and only a listed sender can cause it.
 */
#include "lib/judge.h"

static __always_inline int handle(struct xdp_md *ctx, struct frame *frame)
{
	const struct view view = view_of(ctx);
	const struct sender *sender;
	struct arrival arrival = {};
	int verdict = judge(&view, frame, &arrival, &sender);

	return verdict ? verdict : PASS;
}

SEC("xdp.frags")
int underlay_filter(struct xdp_md *ctx)
{
	struct frame frame = { .hook = HOOK_UNDERLAY_FILTER, .slot = NO_SLOT };

	return finish_xdp(ctx, &frame, handle(ctx, &frame));
}

char LICENSE[] SEC("license") __attribute__((weak)) = "Dual BSD/GPL";
