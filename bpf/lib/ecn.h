/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Explicit congestion notification through a tunnel (RFC 6040): normal mode in, section 4.2 out. */
#ifndef PLAIT_ECN_H
#define PLAIT_ECN_H

#include <stddef.h>

#include "checksum.h"
#include "ethernet.h"
#include "verdict.h"
#include "vxlan.h"

#define ECN_MASK 3
#define ECN_NOT_ECT 0
#define ECN_ECT1 1
#define ECN_ECT0 2
#define ECN_CE 3

/* The traffic class of an IPv6 header: four bits of its first byte and four of the second. */
static __always_inline __u8 ipv6_traffic_class(const struct ipv6hdr *ip6)
{
	return bpf_ntohs(*(const __be16 *)ip6) >> 4;
}

/* The ECN field of an IP packet; 0 where it is not IP. The caller has checked bounds. */
static __always_inline __u8 ecn_of(__be16 proto, const void *l3)
{
	if (proto == bpf_htons(ETH_P_IP))
		return ((const struct iphdr *)l3)->tos & ECN_MASK;
	if (proto == bpf_htons(ETH_P_IPV6))
		return ipv6_traffic_class(l3) & ECN_MASK;
	return ECN_NOT_ECT;
}

/* RFC 6040 figure 4: the inner field to leave, or -DROP_ECN. What is not IP has no such field. */
static __always_inline int ecn_decapsulate(__be16 proto, __u8 outer, __u8 inner)
{
	if (!is_ip(proto))
		return inner;
	if (outer == ECN_CE)
		return inner == ECN_NOT_ECT ? -DROP_ECN : ECN_CE;
	if (outer == ECN_ECT1 && inner == ECN_ECT0)
		return ECN_ECT1;
	return inner;
}

/* The first 16 bits of an IP header with another ECN field. */
static __always_inline __be16 with_ecn(__be16 proto, __be16 word, __u8 ecn)
{
	if (proto == bpf_htons(ETH_P_IP))
		return (word & ~bpf_htons(ECN_MASK)) | bpf_htons(ecn);
	return (word & ~bpf_htons(ECN_MASK << 4)) | bpf_htons(ecn << 4);
}

/* Writes `ecn` into an IP header in memory, whose bounds the caller has checked. */
static __always_inline void ecn_write(void *l3, __be16 proto, __u8 ecn)
{
	__be16 *word = l3, before = *word;
	struct iphdr *ip = l3;

	*word = with_ecn(proto, before, ecn);
	if (proto == bpf_htons(ETH_P_IP))
		ip->check = checksum_after(ip->check, before, *word);
}

/* Writes `ecn` into the packet, which starts with Ethernet; keeps the header's and the skb's checksum right. */
static __always_inline int ecn_set(struct __sk_buff *skb, __be16 proto, __u8 ecn)
{
	const __u32 l3 = sizeof(struct ethhdr);
	__be16 word, changed;
	__u64 flags = 0;

	if (bpf_skb_load_bytes(skb, l3, &word, sizeof(word)))
		return -DROP_TRUNCATED;
	changed = with_ecn(proto, word, ecn);
	if (proto == bpf_htons(ETH_P_IP)) {
		/* The header's own checksum takes up the change, so a sum over the whole packet stays. */
		if (bpf_l3_csum_replace(skb, l3 + offsetof(struct iphdr, check), word, changed, sizeof(word)))
			return -DROP_DECAP_FAILED;
	} else {
		flags = BPF_F_RECOMPUTE_CSUM;
	}
	if (bpf_skb_store_bytes(skb, l3, &changed, sizeof(changed), flags))
		return -DROP_DECAP_FAILED;
	return GO_ON;
}

#endif
