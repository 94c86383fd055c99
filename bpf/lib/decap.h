/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The way in: takes the outer headers off in place and keeps the skb's checksum state and GSO size right. */
#ifndef PLAIT_DECAP_H
#define PLAIT_DECAP_H

#include "config.h"
#include "ecn.h"
#include "ethernet.h"
#include "verdict.h"
#include "vxlan.h"

/* Since Linux 6.3; Debian 12's headers are 6.1. */
#ifndef BPF_F_ADJ_ROOM_DECAP_L3_IPV4
#define BPF_F_ADJ_ROOM_DECAP_L3_IPV4 (1ULL << 7)
#define BPF_F_ADJ_ROOM_DECAP_L3_IPV6 (1ULL << 8)
#endif

#define DECAP_FLAGS (BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_NO_CSUM_RESET)

/* An arrived packet, as far as it has been read. */
struct arrival {
	struct ethhdr inner;
	struct addr from;
	__u32 vni;
	__u8 outer_ecn;
	__u8 inner_ecn;
	bool underlay6;
};

/*
 * Which DECAP_L3 flag tells the kernel what comes to light; 0 where it knows none. For what is not IP the flag for
 * IPv4, which asks for the fewest bytes behind it: ARP has less than an IPv6 header.
 */
static __always_inline __u64 decap_l3(__be16 inner_proto)
{
	if (!decap_l3_flags)
		return 0;
	return inner_proto == bpf_htons(ETH_P_IPV6) ? BPF_F_ADJ_ROOM_DECAP_L3_IPV6 : BPF_F_ADJ_ROOM_DECAP_L3_IPV4;
}

/*
 * Before 6.3 the kernel is brought to the other IP version in a step of its own: the outer IP header is turned into one
 * of the inner version, whatever is in it then, for it is taken off next. Without that, skb->protocol would stay the
 * outer one, and the veth would have an aggregate segmented as what it is not.
 */
static __always_inline int convert(struct __sk_buff *skb, struct arrival *arrival)
{
	const bool inner6 = arrival->inner.h_proto == bpf_htons(ETH_P_IPV6);
	const __u32 outer = sizeof(struct ethhdr) + (arrival->underlay6 ? OVERHEAD6 : OVERHEAD4);

	/* What adjust_room would refuse has to be refused before anything is changed. */
	if (skb->len < outer + (inner6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr)))
		return PASS;
	if (bpf_skb_change_proto(skb, arrival->inner.h_proto, 0))
		return PASS; /* no memory; nothing is changed yet */
	arrival->underlay6 = inner6;
	return GO_ON;
}

static __always_inline bool needs_conversion(const struct __sk_buff *skb, const struct arrival *arrival)
{
	return !decap_l3_flags && is_ip(arrival->inner.h_proto) && arrival->inner.h_proto != skb->protocol;
}

static __always_inline long shrink(struct __sk_buff *skb, const struct arrival *arrival)
{
	const __u64 flags = DECAP_FLAGS | decap_l3(arrival->inner.h_proto);

	if (arrival->underlay6)
		return bpf_skb_adjust_room(skb, -(int)OVERHEAD6, BPF_ADJ_ROOM_MAC, flags);
	return bpf_skb_adjust_room(skb, -(int)OVERHEAD4, BPF_ADJ_ROOM_MAC, flags);
}

/*
 * Leaves the inner frame in the skb. What the kernel refuses (an inner packet shorter than an IP header) is
 * untouched and passes to the slow path.
 */
static __always_inline int decapsulate(struct __sk_buff *skb, struct arrival *arrival, int ecn)
{
	const bool converts = needs_conversion(skb, arrival);
	struct ethhdr *eth;
	int verdict;

	if (converts) {
		verdict = convert(skb, arrival);
		if (verdict)
			return verdict;
	}
	if (shrink(skb, arrival))
		return converts ? -DROP_DECAP_FAILED : PASS;
	/* The outer UDP checksum is gone, verified or not; what is left belongs to the inner packet. */
	bpf_csum_level(skb, BPF_CSUM_LEVEL_DEC);
	eth = (void *)(long)skb->data;
	if ((void *)(eth + 1) > (void *)(long)skb->data_end)
		return -DROP_DECAP_FAILED;
	eth_copy(eth, &arrival->inner);
	if (ecn != arrival->inner_ecn)
		return ecn_set(skb, arrival->inner.h_proto, ecn);
	return GO_ON;
}

#endif
