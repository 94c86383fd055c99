/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The source guard: what a container sends carries its own addresses, and it may not speak as a router. GO_ON is
 * "forward it"; neighbour discovery may come back answered.
 */
#ifndef PLAIT_GUARD_H
#define PLAIT_GUARD_H

#include <linux/ip.h>
#include <linux/ipv6.h>

#include "address.h"
#include "arp.h"
#include "extensions.h"
#include "nd.h"

/* MLDv1 report and done, MLDv2 report: what a host sends before it has an address (RFC 3590). */
#define MLD_REPORT 131
#define MLD_DONE 132
#define MLD2_REPORT 143

static __always_inline int check_behind_extensions(struct __sk_buff *skb, const struct chain *chain, bool unspecified)
{
	__u8 type;

	if (chain->offset >= chain->end || bpf_skb_load_bytes(skb, chain->offset, &type, sizeof(type)))
		return -DROP_TRUNCATED;
	if (type >= ND_ROUTER_SOLICIT && type <= ND_REDIRECT)
		return -DROP_FORBIDDEN_ND;
	if (unspecified && type != MLD_REPORT && type != MLD_DONE && type != MLD2_REPORT)
		return -DROP_SPOOFED_IP;
	return GO_ON;
}

/*
 * Extension headers must not hide a router advertisement (RFC 7113): the chain is followed to its end, a chain that
 * is longer than anything honest is dropped, and so is neighbour discovery behind it.
 */
static __always_inline int guard_chain(struct __sk_buff *skb, const struct ipv6hdr *ip6, bool unspecified)
{
	struct chain chain;
	int err;

	start_chain(&chain, ip6);
	err = follow_chain(skb, &chain);
	if (err)
		return err;
	if (chain.next == IPPROTO_ICMPV6 && !chain.headless)
		return check_behind_extensions(skb, &chain, unspecified);
	return unspecified ? -DROP_SPOOFED_IP : GO_ON;
}

static __always_inline int guard_ipv4(struct __sk_buff *skb, const struct endpoint *endpoint)
{
	struct iphdr *ip;

	if (!pull(skb, sizeof(struct ethhdr) + sizeof(*ip)))
		return -DROP_TRUNCATED;
	ip = (void *)(long)skb->data + sizeof(struct ethhdr);
	if ((void *)(ip + 1) > (void *)(long)skb->data_end)
		return -DROP_TRUNCATED;
	return ip->saddr == endpoint->ip4 && ip->saddr ? GO_ON : -DROP_SPOOFED_IP;
}

static __always_inline int guard_ipv6(struct __sk_buff *skb, const struct endpoint *endpoint)
{
	struct ipv6hdr *ip6, copy;
	bool unspecified;
	__u8 next;

	if (!pull(skb, sizeof(struct ethhdr) + sizeof(*ip6)))
		return -DROP_TRUNCATED;
	ip6 = (void *)(long)skb->data + sizeof(struct ethhdr);
	if ((void *)(ip6 + 1) > (void *)(long)skb->data_end)
		return -DROP_TRUNCATED;
	unspecified = addr_is_zero(&ip6->saddr);
	if (!unspecified && !addr_equal(&ip6->saddr, &endpoint->ip6) && !addr_equal(&ip6->saddr, &endpoint->link_local))
		return -DROP_SPOOFED_IP;
	next = ip6->nexthdr;
	if (!unspecified && (next == IPPROTO_TCP || next == IPPROTO_UDP))
		return GO_ON;
	if (next != IPPROTO_ICMPV6)
		return guard_chain(skb, ip6, unspecified);
	copy = *ip6;
	return handle_icmpv6(skb, endpoint, &copy);
}

/* The frame starts with `proto` behind its Ethernet header. Neither IP nor ARP: only the MAC could be guarded. */
static __always_inline int guard(struct __sk_buff *skb, const struct endpoint *endpoint, __be16 proto)
{
	if (proto == bpf_htons(ETH_P_IP))
		return guard_ipv4(skb, endpoint);
	if (proto == bpf_htons(ETH_P_IPV6))
		return guard_ipv6(skb, endpoint);
	if (proto == bpf_htons(ETH_P_ARP))
		return handle_arp(skb, endpoint);
	return is_vlan(proto) ? -DROP_VLAN : GO_ON;
}

#endif
