/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How the XDP programs read a frame, and how they end. */
#ifndef PLAIT_FILTER_H
#define PLAIT_FILTER_H

#include "counters.h"
#include "drops.h"

/*
 * A frame may be spread over several buffers ("xdp.frags"); only the first can be read directly. Every driver puts
 * more than our headers there; where one did not, the frame passes, and tcx sees to it.
 */
struct view {
	struct xdp_md *ctx;
	void *data;
	void *end; /* of the first buffer */
};

static __always_inline struct view view_of(struct xdp_md *ctx)
{
	return (struct view){
		.ctx = ctx,
		.data = (void *)(long)ctx->data,
		.end = (void *)(long)ctx->data_end,
	};
}

/* `want` bytes, a constant, are there to be read? GO_ON. They are in another buffer? PASS. They do not exist?
 * `missing`. */
static __always_inline int need(const struct view *view, struct frame *frame, __u32 want, int missing)
{
	if (view->data + want <= view->end)
		return GO_ON;
	frame->len = bpf_xdp_get_buff_len(view->ctx);
	return frame->len < want ? missing : PASS;
}

/*
 * Sets the length of the frame, whose IP header claims that it is `claimed` bytes. Asking for all buffers takes 12 ns:
 * a frame whose first buffer ends just there has no others.
 */
static __always_inline void measure(const struct view *view, struct frame *frame, __u32 claimed)
{
	__u32 first = view->end - view->data;

	frame->len = first == claimed ? first : bpf_xdp_get_buff_len(view->ctx);
}

/* As finish() for skbs: the only place that makes an action of a verdict, and that counts a drop. */
static __always_inline int finish_xdp(struct xdp_md *ctx, const struct frame *frame, int verdict)
{
	struct drop_event *event;
	__u32 size;

	if (verdict >= 0)
		return verdict == XDP_REDIRECT ? XDP_REDIRECT : XDP_PASS;
	count_drop(frame, -verdict);
	count_event(EVENT_FILTERED, frame->len);
	event = new_sample(frame, -verdict, ctx->ingress_ifindex);
	if (!event)
		return XDP_DROP;
	size = sample_size(frame->len);
	submit_sample(event, bpf_xdp_load_bytes(ctx, 0, event->head, size) ? 0 : size);
	return XDP_DROP;
}

#endif
