/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the XDP programs of the underlay make of a frame: is it VXLAN for this node, whole, from somebody who is listed?
 * One judgement for underlay_filter, which ends there, and underlay_deliver, which goes on. Neither drops what
 * from_underlay would not drop for the same reason.
 */
#ifndef PLAIT_JUDGE_H
#define PLAIT_JUDGE_H

#include "filter.h"
#include "receive.h"
#include "underlay.h"

/* What tc calls PACKET_HOST. Promiscuous mode's catch, and broadcast, are not for us. */
static __always_inline bool is_for_device(const struct ethhdr *eth)
{
	__u32 only = 0;
	struct underlay_device *device = bpf_map_lookup_elem(&underlay_device, &only);

	return device && mac_equal(eth->h_dest, device->mac);
}

static __always_inline int judge_underlay4(const struct view *view, struct frame *frame, struct arrival *arrival)
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

static __always_inline int judge_underlay6(const struct view *view, struct frame *frame, struct arrival *arrival)
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
static __always_inline int judge_headers(const struct view *view, struct frame *frame, struct arrival *arrival)
{
	const struct ethhdr *eth = view->data;
	int verdict = need(view, frame, sizeof(*eth), PASS);

	if (verdict)
		return verdict;
	if (!is_for_device(eth))
		return PASS;
	if (eth->h_proto == bpf_htons(ETH_P_IP))
		return judge_underlay4(view, frame, arrival);
	if (eth->h_proto == bpf_htons(ETH_P_IPV6))
		return judge_underlay6(view, frame, arrival);
	return PASS;
}

/* GO_ON: it is good, `arrival` has its headers, and `sender` is who sent it. */
static __always_inline int judge(const struct view *view, struct frame *frame, struct arrival *arrival,
				 const struct sender **sender)
{
	int verdict = judge_headers(view, frame, arrival);

	if (verdict)
		return verdict;
	verdict = check_inner(arrival, frame->len);
	if (verdict)
		return verdict;
	frame->vni = arrival->vni;
	*sender = find_sender(arrival->vni, &arrival->from);
	return *sender ? GO_ON : refuse_sender(arrival->vni);
}

#endif
