// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * XDP on the underlay device, in place of underlay_filter: what is good, and for a container whose veth takes frames
 * without an skb, loses its outer headers here and is redirected into that veth. The kernel makes the skb there. All
 * that from_underlay does better, or alone, goes on to it untouched: frames of several buffers, what is not IP, what is
 * flooded, other containers.
 *
 * XDP does not know what the driver knows of a frame's checksums, so the container sums every byte, and a frame whose
 * inner checksum is still to be filled in (from a veth, a tap) must not come here: the agent refuses such devices.
 */
#include "lib/ecn.h"
#include "lib/judge.h"

/* Bytes in front of the inner frame: as many as are behind the outer Ethernet header and in front of the inner IP's. */
static __always_inline __u32 outer_size(const struct arrival *arrival)
{
	return arrival->underlay6 ? OVERHEAD6 : OVERHEAD4;
}

/* The inner IP header, whole, in the first buffer, which is the only one; else NULL. `arrival` gets its ECN field. */
static __always_inline void *inner_ip(const struct view *view, const struct frame *frame, struct arrival *arrival)
{
	const __be16 proto = arrival->inner.h_proto;
	void *ip = view->data + outer_size(arrival) + sizeof(struct ethhdr);
	const __u32 size = proto == bpf_htons(ETH_P_IPV6) ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);

	if (!is_ip(proto) || frame->len != view->end - view->data || ip + size > view->end)
		return NULL;
	arrival->inner_ecn = ecn_of(proto, ip);
	return ip;
}

/* The container behind that host end takes frames without an skb, and such long ones (a veth drops what is longer). */
static __always_inline bool takes_xdp(__u32 ifindex, __u32 inner_len)
{
	const struct endpoint *endpoint = find_endpoint(ifindex);

	return endpoint && endpoint->flags & ENDPOINT_TAKES_XDP && inner_len <= sizeof(struct ethhdr) + endpoint->mtu;
}

static __always_inline int deliver_inner(struct xdp_md *ctx, const struct view *view, const struct frame *frame,
					 struct arrival *arrival, __u32 vtep)
{
	const __u32 outer = outer_size(arrival), len = frame->len - outer;
	void *ip = inner_ip(view, frame, arrival);
	struct fdb_entry to = {};
	int verdict, ecn;

	if (!ip)
		return PASS;
	verdict = find_destination(arrival->vni, arrival->inner.h_dest, &to);
	if (verdict)
		return verdict;
	if (!to.ifindex || !takes_xdp(to.ifindex, len))
		return PASS;
	ecn = ecn_decapsulate(arrival->inner.h_proto, arrival->outer_ecn, arrival->inner_ecn);
	if (ecn < 0)
		return ecn;
	if (ecn != arrival->inner_ecn)
		ecn_write(ip, arrival->inner.h_proto, ecn);
	if (bpf_xdp_adjust_head(ctx, outer))
		return -DROP_DECAP_FAILED;
	count_rx(&vtep_counters, vtep, len);
	count_rx(&endpoint_counters, to.slot, len);
	count_event(EVENT_REMOTE_RECEIVED, len);
	count_event(EVENT_XDP_DELIVERED, len);
	return bpf_redirect(to.ifindex, 0);
}

static __always_inline int handle(struct xdp_md *ctx, struct frame *frame)
{
	const struct view view = view_of(ctx);
	const struct sender *sender;
	struct arrival arrival = {};
	int verdict = judge(&view, frame, &arrival, &sender);

	if (verdict)
		return verdict;
	return deliver_inner(ctx, &view, frame, &arrival, sender->vtep);
}

SEC("xdp.frags")
int underlay_deliver(struct xdp_md *ctx)
{
	struct frame frame = { .hook = HOOK_UNDERLAY_DELIVER, .slot = NO_SLOT };

	return finish_xdp(ctx, &frame, handle(ctx, &frame));
}

char LICENSE[] SEC("license") __attribute__((weak)) = "Dual BSD/GPL";
