/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Is a packet on the underlay ours, and is it whole? One judgement for from_underlay and underlay_filter, which read
 * packets in different ways. Not ours passes. Ours and odd (fragments, IP options, extension headers, bytes behind the
 * packet) passes too, to the kernel's vxlan device, which knows all of that. Ours and wrong is dropped.
 */
#ifndef PLAIT_UNDERLAY_H
#define PLAIT_UNDERLAY_H

#include "address.h"
#include "checksum.h"
#include "config.h"
#include "decap.h"
#include "ethernet.h"
#include "ip.h"
#include "vxlan.h"

/*
 * `claimed` bytes of payload in `present` ones. An aggregate was put together by this kernel (GRO, or a sender next
 * door), which fills the lengths in when it takes it apart: they say nothing here.
 */
static __always_inline int check_length(__u32 claimed, __u32 present, bool aggregate)
{
	if (aggregate)
		return GO_ON;
	if (claimed > present)
		return -DROP_BAD_VXLAN;
	return claimed < present ? PASS : GO_ON;
}

static __always_inline int read_vxlan(const struct udphdr *udp, __u32 present, bool aggregate, struct arrival *arrival)
{
	const struct vxlanhdr *vxlan = (const void *)(udp + 1);
	int verdict = check_length(bpf_ntohs(udp->len), present, aggregate);

	if (verdict)
		return verdict;
	if (!(vxlan->flags & VXLAN_HAS_VNI))
		return -DROP_BAD_VXLAN;
	arrival->vni = bpf_ntohl(vxlan->vni) >> 8;
	eth_copy(&arrival->inner, (const void *)(vxlan + 1));
	return GO_ON;
}

static __always_inline __u32 inner_l3(const struct arrival *arrival)
{
	return sizeof(struct ethhdr) + (arrival->underlay6 ? OVERHEAD6 : OVERHEAD4);
}

/* What the inner Ethernet header and the length of the frame tell. A short IP packet fails here, ARP may be short. */
static __always_inline int check_inner(const struct arrival *arrival, __u32 len)
{
	if (is_vlan(arrival->inner.h_proto))
		return -DROP_VLAN;
	if (is_ip(arrival->inner.h_proto) && len < inner_l3(arrival) + sizeof(__be16))
		return -DROP_TRUNCATED;
	return GO_ON;
}

/* Nearly always in the packet's head, where reading costs nothing; a helper takes as long as half a map lookup. */
static __always_inline int read_word(struct __sk_buff *skb, __u32 offset, __be16 *word)
{
	void *at = (void *)(long)skb->data + offset;

	if (at + sizeof(*word) > (void *)(long)skb->data_end)
		return bpf_skb_load_bytes(skb, offset, word, sizeof(*word));
	*word = *(__be16 *)at;
	return 0;
}

/* The same, and the inner ECN field. */
static __always_inline int read_inner(struct __sk_buff *skb, struct arrival *arrival)
{
	int verdict = check_inner(arrival, skb->len);
	__be16 word;

	if (verdict || !is_ip(arrival->inner.h_proto))
		return verdict;
	if (read_word(skb, inner_l3(arrival), &word))
		return -DROP_TRUNCATED;
	arrival->inner_ecn = ecn_of(arrival->inner.h_proto, &word);
	return GO_ON;
}

/* The option is read as volatile, or the compiler takes its default for the truth. */
static __always_inline bool is_own6(const struct in6_addr *addr)
{
	const volatile __be32 *own = vtep_addr6.w;
	const __be32 *word = addr->in6_u.u6_addr32;

	if (!(own[0] | own[1] | own[2] | own[3]))
		return false;
	return !((word[0] ^ own[0]) | (word[1] ^ own[1]) | (word[2] ^ own[2]) | (word[3] ^ own[3]));
}

/* Headers up to UDP's are readable. */
static __always_inline bool is_own_vxlan4(const struct iphdr *ip)
{
	const struct udphdr *udp = (const void *)(ip + 1);

	if (ip->protocol != IPPROTO_UDP || !vtep_addr4 || ip->daddr != vtep_addr4)
		return false;
	if (*(const __u8 *)ip != 0x45 || ip->frag_off & bpf_htons(IP_MF_OR_OFFSET))
		return false;
	return udp->dest == bpf_htons(vxlan_port);
}

static __always_inline bool is_own_vxlan6(const struct ipv6hdr *ip6)
{
	const struct udphdr *udp = (const void *)(ip6 + 1);

	return ip6->nexthdr == IPPROTO_UDP && udp->dest == bpf_htons(vxlan_port) && is_own6(&ip6->daddr);
}

/* OVERHEAD4 bytes are readable, `present` are behind the Ethernet header. */
static __always_inline int check_outer4(const struct iphdr *ip, __u32 present, bool aggregate, struct arrival *arrival)
{
	int verdict;

	if (ipv4_checksum(ip))
		return -DROP_BAD_VXLAN;
	verdict = check_length(bpf_ntohs(ip->tot_len), present, aggregate);
	if (verdict)
		return verdict;
	addr_from4(&arrival->from, ip->saddr);
	arrival->outer_ecn = ip->tos & ECN_MASK;
	return read_vxlan((const void *)(ip + 1), present - sizeof(*ip), aggregate, arrival);
}

/* OVERHEAD6 bytes are readable. */
static __always_inline int check_outer6(const struct ipv6hdr *ip6, __u32 present, bool aggregate,
					struct arrival *arrival)
{
	const __u32 payload = present - sizeof(*ip6);
	int verdict = check_length(bpf_ntohs(ip6->payload_len), payload, aggregate);

	if (verdict)
		return verdict;
	addr_copy(arrival->from.w, &ip6->saddr);
	arrival->outer_ecn = ipv6_traffic_class(ip6) & ECN_MASK;
	arrival->underlay6 = true;
	return read_vxlan((const void *)(ip6 + 1), payload, aggregate, arrival);
}

static __always_inline int read_underlay4(struct __sk_buff *skb, struct arrival *arrival)
{
	const __u32 want = sizeof(struct ethhdr) + OVERHEAD4;
	struct iphdr *ip;

	if (!pull(skb, sizeof(struct ethhdr) + sizeof(*ip) + sizeof(struct udphdr)))
		return PASS;
	ip = (void *)(long)skb->data + sizeof(struct ethhdr);
	if ((void *)(ip + 1) + sizeof(struct udphdr) > (void *)(long)skb->data_end)
		return PASS;
	if (!is_own_vxlan4(ip))
		return PASS;
	if (!pull(skb, want))
		return -DROP_TRUNCATED;
	ip = (void *)(long)skb->data + sizeof(struct ethhdr);
	if ((void *)ip + OVERHEAD4 > (void *)(long)skb->data_end)
		return -DROP_TRUNCATED;
	return check_outer4(ip, skb->len - sizeof(struct ethhdr), skb->gso_size, arrival);
}

static __always_inline int read_underlay6(struct __sk_buff *skb, struct arrival *arrival)
{
	const __u32 want = sizeof(struct ethhdr) + OVERHEAD6;
	struct ipv6hdr *ip6;

	if (!pull(skb, sizeof(struct ethhdr) + sizeof(*ip6) + sizeof(struct udphdr)))
		return PASS;
	ip6 = (void *)(long)skb->data + sizeof(struct ethhdr);
	if ((void *)(ip6 + 1) + sizeof(struct udphdr) > (void *)(long)skb->data_end)
		return PASS;
	if (!is_own_vxlan6(ip6))
		return PASS;
	if (!pull(skb, want))
		return -DROP_TRUNCATED;
	ip6 = (void *)(long)skb->data + sizeof(struct ethhdr);
	if ((void *)ip6 + OVERHEAD6 > (void *)(long)skb->data_end)
		return -DROP_TRUNCATED;
	return check_outer6(ip6, skb->len - sizeof(struct ethhdr), skb->gso_size, arrival);
}

#endif
