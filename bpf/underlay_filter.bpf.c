// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * XDP on the underlay device, before there is an skb: VXLAN for this node that is wrong, or that nobody who is listed
 * sent, ends here for a fraction of what it costs later. It drops nothing that from_underlay would not drop for the
 * same reason, and changes nothing: what is good, odd or not ours goes on to GRO, tcx and the stack.
 *
 * What from_underlay finds out with one lookup more (UNKNOWN_MAC, ECN) stays its business: that costs good frames,
 * and only a listed sender can cause it.
 */
#include "lib/filter.h"
#include "lib/receive.h"
#include "lib/underlay.h"

/* What tc calls PACKET_HOST. Promiscuous mode's catch, and broadcast, are not for us. */
static __always_inline bool is_for_device(const struct ethhdr *eth)
{
	__u32 only = 0;
	struct underlay_device *device = bpf_map_lookup_elem(&underlay_device, &only);

	return device && mac_equal(eth->h_dest, device->mac);
}

static __always_inline int filter_underlay4(const struct view *view, struct frame *frame, struct arrival *arrival)
{
	const struct iphdr *ip = view->data + sizeof(struct ethhdr);
	int verdict = need(view, frame, sizeof(struct ethhdr) + sizeof(*ip) + sizeof(struct udphdr), PASS);

	if (verdict)
		return verdict;
	if (!is_own_vxlan4(ip))
		return PASS;
	verdict = need(view, frame, sizeof(struct ethhdr) + OVERHEAD4, -DROP_TRUNCATED);
	if (verdict)
		return verdict;
	measure(view, frame, sizeof(struct ethhdr) + bpf_ntohs(ip->tot_len));
	return check_outer4(ip, frame->len - sizeof(struct ethhdr), false, arrival);
}

static __always_inline int filter_underlay6(const struct view *view, struct frame *frame, struct arrival *arrival)
{
	const struct ipv6hdr *ip6 = view->data + sizeof(struct ethhdr);
	int verdict = need(view, frame, sizeof(struct ethhdr) + sizeof(*ip6) + sizeof(struct udphdr), PASS);

	if (verdict)
		return verdict;
	if (!is_own_vxlan6(ip6))
		return PASS;
	verdict = need(view, frame, sizeof(struct ethhdr) + OVERHEAD6, -DROP_TRUNCATED);
	if (verdict)
		return verdict;
	measure(view, frame, sizeof(struct ethhdr) + sizeof(*ip6) + bpf_ntohs(ip6->payload_len));
	return check_outer6(ip6, frame->len - sizeof(struct ethhdr), false, arrival);
}

/*
 * PASS at the end of this function is where a published port is to be looked for: the packet is for this node and is
 * no VXLAN. A match would be rewritten in place and become XDP_TX (a backend elsewhere) in finish_xdp().
 */
static __always_inline int read_frame(const struct view *view, struct frame *frame, struct arrival *arrival)
{
	const struct ethhdr *eth = view->data;
	int verdict = need(view, frame, sizeof(*eth), PASS);

	if (verdict)
		return verdict;
	if (!is_for_device(eth))
		return PASS;
	if (eth->h_proto == bpf_htons(ETH_P_IP))
		return filter_underlay4(view, frame, arrival);
	if (eth->h_proto == bpf_htons(ETH_P_IPV6))
		return filter_underlay6(view, frame, arrival);
	return PASS;
}

static __always_inline int handle(struct xdp_md *ctx, struct frame *frame)
{
	const struct view view = {
		.ctx = ctx,
		.data = (void *)(long)ctx->data,
		.end = (void *)(long)ctx->data_end,
	};
	struct arrival arrival = {};
	int verdict;

	verdict = read_frame(&view, frame, &arrival);
	if (verdict)
		return verdict;
	verdict = check_inner(&arrival, frame->len);
	if (verdict)
		return verdict;
	frame->vni = arrival.vni;
	if (!find_sender(arrival.vni, &arrival.from))
		return refuse_sender(arrival.vni);
	return PASS;
}

SEC("xdp.frags")
int underlay_filter(struct xdp_md *ctx)
{
	struct frame frame = { .hook = HOOK_UNDERLAY_FILTER, .slot = NO_SLOT };

	return finish_xdp(ctx, &frame, handle(ctx, &frame));
}

char LICENSE[] SEC("license") __attribute__((weak)) = "Dual BSD/GPL";
