/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Is a packet on the underlay ours, and is it whole? Not ours passes. Ours and odd (fragments, IP options,
 * extension headers, bytes behind the packet) passes too, to the kernel's vxlan device, which knows all of that.
 * Ours and wrong is dropped.
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
 * `claimed` bytes of payload in `present` ones. A GSO packet was put together by this kernel (GRO, or a sender
 * next door), which fills the lengths in when it takes it apart: they say nothing here.
 */
static __always_inline int check_length(const struct __sk_buff *skb, __u32 claimed, __u32 present)
{
	if (skb->gso_size)
		return GO_ON;
	if (claimed > present)
		return -DROP_BAD_VXLAN;
	return claimed < present ? PASS : GO_ON;
}

static __always_inline int read_vxlan(struct __sk_buff *skb, struct udphdr *udp, __u32 present, struct arrival *arrival)
{
	struct vxlanhdr *vxlan = (void *)(udp + 1);
	int verdict = check_length(skb, bpf_ntohs(udp->len), present);

	if (verdict)
		return verdict;
	if (!(vxlan->flags & VXLAN_HAS_VNI))
		return -DROP_BAD_VXLAN;
	arrival->vni = bpf_ntohl(vxlan->vni) >> 8;
	eth_copy(&arrival->inner, (void *)(vxlan + 1));
	return GO_ON;
}

/* Reads the inner ECN field; the packet was pulled that far. A short IP packet fails here, ARP may be short. */
static __always_inline int read_inner(struct __sk_buff *skb, struct arrival *arrival)
{
	const __u32 l3 = sizeof(struct ethhdr) + (arrival->underlay6 ? OVERHEAD6 : OVERHEAD4);
	__be16 word;

	if (is_vlan(arrival->inner.h_proto))
		return -DROP_VLAN;
	if (!is_ip(arrival->inner.h_proto))
		return GO_ON;
	if (bpf_skb_load_bytes(skb, l3, &word, sizeof(word)))
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

static __always_inline int read_underlay4(struct __sk_buff *skb, struct arrival *arrival)
{
	const __u32 want = sizeof(struct ethhdr) + OVERHEAD4;
	struct iphdr *ip;
	struct udphdr *udp;
	__u32 present = skb->len - sizeof(struct ethhdr);
	int verdict;

	if (!pull(skb, sizeof(struct ethhdr) + sizeof(*ip) + sizeof(*udp)))
		return PASS;
	ip = (void *)(long)skb->data + sizeof(struct ethhdr);
	udp = (void *)(ip + 1);
	if ((void *)(udp + 1) > (void *)(long)skb->data_end)
		return PASS;
	if (ip->protocol != IPPROTO_UDP || !vtep_addr4 || ip->daddr != vtep_addr4)
		return PASS;
	if (*(__u8 *)ip != 0x45 || ip->frag_off & bpf_htons(IP_MF_OR_OFFSET))
		return PASS;
	if (udp->dest != bpf_htons(vxlan_port))
		return PASS;
	if (!pull(skb, want))
		return -DROP_TRUNCATED;
	ip = (void *)(long)skb->data + sizeof(struct ethhdr);
	udp = (void *)(ip + 1);
	if ((void *)ip + OVERHEAD4 > (void *)(long)skb->data_end)
		return -DROP_TRUNCATED;
	if (ipv4_checksum(ip))
		return -DROP_BAD_VXLAN;
	verdict = check_length(skb, bpf_ntohs(ip->tot_len), present);
	if (verdict)
		return verdict;
	addr_from4(&arrival->from, ip->saddr);
	arrival->outer_ecn = ip->tos & ECN_MASK;
	return read_vxlan(skb, udp, present - sizeof(*ip), arrival);
}

static __always_inline int read_underlay6(struct __sk_buff *skb, struct arrival *arrival)
{
	const __u32 want = sizeof(struct ethhdr) + OVERHEAD6;
	struct ipv6hdr *ip6;
	struct udphdr *udp;
	__u32 present = skb->len - sizeof(struct ethhdr) - sizeof(*ip6);
	int verdict;

	if (!pull(skb, sizeof(struct ethhdr) + sizeof(*ip6) + sizeof(*udp)))
		return PASS;
	ip6 = (void *)(long)skb->data + sizeof(struct ethhdr);
	udp = (void *)(ip6 + 1);
	if ((void *)(udp + 1) > (void *)(long)skb->data_end)
		return PASS;
	if (ip6->nexthdr != IPPROTO_UDP || udp->dest != bpf_htons(vxlan_port))
		return PASS;
	if (!is_own6(&ip6->daddr))
		return PASS;
	if (!pull(skb, want))
		return -DROP_TRUNCATED;
	ip6 = (void *)(long)skb->data + sizeof(struct ethhdr);
	udp = (void *)(ip6 + 1);
	if ((void *)ip6 + OVERHEAD6 > (void *)(long)skb->data_end)
		return -DROP_TRUNCATED;
	verdict = check_length(skb, bpf_ntohs(ip6->payload_len), present);
	if (verdict)
		return verdict;
	addr_copy(arrival->from.w, &ip6->saddr);
	arrival->outer_ecn = ipv6_traffic_class(ip6) & ECN_MASK;
	arrival->underlay6 = true;
	return read_vxlan(skb, udp, present, arrival);
}

#endif
