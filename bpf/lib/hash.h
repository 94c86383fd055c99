/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The hash of a flow, for the outer source port. TCP sockets and connected UDP sockets give their packets one. For
 * the others the kernel's general dissector takes 150 ns, a third of the whole program, where a dozen instructions do
 * for TCP and UDP. The hash is left in the skb, so that queue selection in the NIC's driver need not dissect either.
 */
#ifndef PLAIT_HASH_H
#define PLAIT_HASH_H

#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include "ethernet.h"
#include "ip.h"

/* A multiplicative hash (the golden ratio's bits): neighbouring ports and addresses get distant values. */
static __always_inline __u32 mix(__u32 addresses, __u32 ports)
{
	__u64 x = ((__u64)addresses << 32 | ports) * 0x9e3779b97f4a7c15ULL;

	return x >> 32;
}

static __always_inline __u32 hash_ipv4(struct __sk_buff *skb, const struct iphdr *ip)
{
	const __be32 *ports = (const void *)(ip + 1);

	if ((void *)(ports + 1) > (void *)(long)skb->data_end || *(const __u8 *)ip != 0x45 ||
	    (ip->protocol != IPPROTO_UDP && ip->protocol != IPPROTO_TCP) || ip->frag_off & bpf_htons(IP_MF_OR_OFFSET))
		return 0;
	return mix(mix(ip->saddr, ip->daddr) + ip->protocol, *ports);
}

static __always_inline __u32 hash_ipv6(struct __sk_buff *skb, const struct ipv6hdr *ip6)
{
	const __be32 *ports = (const void *)(ip6 + 1);
	const __be32 *from = ip6->saddr.in6_u.u6_addr32, *to = ip6->daddr.in6_u.u6_addr32;
	__u32 hash;

	if ((void *)(ports + 1) > (void *)(long)skb->data_end ||
	    (ip6->nexthdr != IPPROTO_UDP && ip6->nexthdr != IPPROTO_TCP))
		return 0;
	hash = mix(from[2] ^ to[2], from[3]) ^ mix(from[0] ^ to[0], to[3]) ^ mix(from[1], to[1]);
	return mix(hash + ip6->nexthdr, *ports);
}

/* The frame starts with `eth`, whose IP header the caller has pulled. */
static __always_inline __u32 flow_hash(struct __sk_buff *skb, const struct ethhdr *eth)
{
	__u32 hash = skb->hash;

	if (hash)
		return hash;
	if (eth->h_proto == bpf_htons(ETH_P_IP))
		hash = hash_ipv4(skb, (const void *)(eth + 1));
	else
		hash = hash_ipv6(skb, (const void *)(eth + 1));
	if (!hash) /* fragments, options, other protocols */
		return bpf_get_hash_recalc(skb);
	bpf_set_hash(skb, hash);
	return hash;
}

#endif
