/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Neighbour discovery (RFC 4861) from a container: guarded, and solicitations are answered in place where the map
 * knows the target. An ND message stands directly behind the IPv6 header or is dropped (see guard.h).
 */
#ifndef PLAIT_ND_H
#define PLAIT_ND_H

#include <linux/ipv6.h>

#include "address.h"
#include "checksum.h"
#include "counters.h"
#include "ethernet.h"
#include "verdict.h"

#define ND_ROUTER_SOLICIT 133
#define ND_ROUTER_ADVERT 134
#define ND_NEIGHBOR_SOLICIT 135
#define ND_NEIGHBOR_ADVERT 136
#define ND_REDIRECT 137

#define ND_OPTION_SOURCE 1
#define ND_OPTION_TARGET 2
#define ND_MAX_OPTIONS 4
#define ND_HOP_LIMIT 255
#define ND_SOLICIT_LEN 8 /* of a router solicitation, without options */

#define NA_ROUTER bpf_htonl(1u << 31)
#define NA_SOLICITED bpf_htonl(1u << 30)
#define NA_OVERRIDE bpf_htonl(1u << 29)

/* A neighbour solicitation or advertisement up to its options. */
struct nd_message {
	__u8 type;
	__u8 code;
	__sum16 checksum;
	__be32 flags;
	struct addr target;
};

struct nd_option {
	__u8 type;
	__u8 words; /* of 8 bytes, this header included */
	__u8 mac[ETH_ALEN];
};

struct nd_answer {
	__be16 pad; /* so that the addresses are aligned */
	struct ethhdr eth;
	struct ipv6hdr ip6;
	struct nd_message nd;
	struct nd_option option;
};

#define ND_ANSWER_LEN (sizeof(struct nd_answer) - sizeof(__be16))
#define ND_OFFSET (sizeof(struct ethhdr) + sizeof(struct ipv6hdr))

_Static_assert(ND_ANSWER_LEN == 86, "neighbour advertisement with one option");

/* Every link-layer address in the options has to be the sender's own. */
static __always_inline int check_nd_options(struct __sk_buff *skb, const struct endpoint *endpoint, __u32 offset)
{
	struct nd_option option;

	for (int i = 0; i < ND_MAX_OPTIONS; i++) {
		if (offset == skb->len)
			return GO_ON;
		if (bpf_skb_load_bytes(skb, offset, &option, sizeof(option)))
			return -DROP_TRUNCATED;
		if (option.words == 0)
			return -DROP_TRUNCATED;
		if ((option.type == ND_OPTION_SOURCE || option.type == ND_OPTION_TARGET) &&
		    (option.words != 1 || !mac_equal(option.mac, endpoint->mac)))
			return -DROP_SPOOFED_ARP;
		offset += option.words * 8;
	}
	return offset == skb->len ? GO_ON : -DROP_FORBIDDEN_ND;
}

static __always_inline int reply_nd(struct __sk_buff *skb, const struct ipv6hdr *asker, const struct nd_message *asked,
				    const struct endpoint *endpoint, const __u8 *mac)
{
	const bool probe = addr_is_zero(&asker->saddr);
	struct nd_answer answer = {};
	__be32 flags = NA_OVERRIDE;

	if (!probe)
		flags |= NA_SOLICITED;
	if (mac_equal(mac, gateway_mac))
		flags |= NA_ROUTER;
	mac_copy(answer.eth.h_dest, endpoint->mac);
	mac_copy(answer.eth.h_source, mac);
	answer.eth.h_proto = bpf_htons(ETH_P_IPV6);
	*(__be32 *)&answer.ip6 = bpf_htonl(6u << 28);
	answer.ip6.payload_len = bpf_htons(sizeof(answer.nd) + sizeof(answer.option));
	answer.ip6.nexthdr = IPPROTO_ICMPV6;
	answer.ip6.hop_limit = ND_HOP_LIMIT;
	addr_copy(&answer.ip6.saddr, asked->target.w);
	if (probe) { /* nobody's address yet: all nodes, ff02::1 (RFC 4861 section 7.2.4) */
		answer.ip6.daddr.in6_u.u6_addr32[0] = bpf_htonl(0xff020000);
		answer.ip6.daddr.in6_u.u6_addr32[3] = bpf_htonl(1);
	} else {
		addr_copy(&answer.ip6.daddr, &asker->saddr);
	}
	answer.nd.type = ND_NEIGHBOR_ADVERT;
	answer.nd.flags = flags;
	addr_copy(answer.nd.target.w, asked->target.w);
	answer.option.type = ND_OPTION_TARGET;
	answer.option.words = 1;
	mac_copy(answer.option.mac, mac);
	answer.nd.checksum =
		icmpv6_checksum(&answer.ip6, (__be32 *)&answer.nd, sizeof(answer.nd) + sizeof(answer.option));

	if (skb->len != ND_ANSWER_LEN && bpf_skb_change_tail(skb, ND_ANSWER_LEN, 0))
		return -DROP_TRUNCATED;
	if (bpf_skb_store_bytes(skb, 0, &answer.eth, ND_ANSWER_LEN, 0))
		return -DROP_TRUNCATED;
	count_event(EVENT_ND_ANSWERED, skb->len);
	return bpf_redirect(skb->ifindex, 0);
}

static __always_inline bool owns(const struct endpoint *endpoint, const struct addr *addr)
{
	return addr_equal(addr, &endpoint->ip6) || addr_equal(addr, &endpoint->link_local);
}

static __always_inline int handle_solicitation(struct __sk_buff *skb, const struct endpoint *endpoint,
					       const struct ipv6hdr *ip6, const struct nd_message *nd)
{
	struct neighbor_key key = { .vni = endpoint->vni };
	struct neighbor *neighbor;

	/* Duplicate address detection for its own address: only another owner may answer. */
	if (owns(endpoint, &nd->target))
		return GO_ON;
	addr_copy(key.addr.w, nd->target.w);
	neighbor = bpf_map_lookup_elem(&neighbors, &key);
	if (neighbor)
		return reply_nd(skb, ip6, nd, endpoint, neighbor->mac);
	/* A probe for somebody else's address would make its owner give it up (RFC 4862 section 5.4.3). */
	return addr_is_zero(&ip6->saddr) ? -DROP_SPOOFED_ARP : GO_ON;
}

/* ICMPv6 directly behind the IPv6 header. The source address has been checked, or is `::`. */
static __always_inline int handle_icmpv6(struct __sk_buff *skb, const struct endpoint *endpoint,
					 const struct ipv6hdr *ip6)
{
	const bool unspecified = addr_is_zero(&ip6->saddr);
	struct nd_message nd;
	__u32 options = ND_OFFSET + sizeof(nd);
	__u8 type;
	int err;

	if (bpf_skb_load_bytes(skb, ND_OFFSET, &type, sizeof(type)))
		return -DROP_TRUNCATED;
	if (type == ND_ROUTER_ADVERT || type == ND_REDIRECT)
		return -DROP_FORBIDDEN_ND;
	if (unspecified && type != ND_NEIGHBOR_SOLICIT)
		return -DROP_SPOOFED_IP;
	if (type < ND_ROUTER_SOLICIT || type > ND_REDIRECT)
		return GO_ON;
	if (ip6->hop_limit != ND_HOP_LIMIT)
		return -DROP_FORBIDDEN_ND;
	if (type == ND_ROUTER_SOLICIT)
		return check_nd_options(skb, endpoint, ND_OFFSET + ND_SOLICIT_LEN);
	if (bpf_skb_load_bytes(skb, ND_OFFSET, &nd, sizeof(nd)))
		return -DROP_TRUNCATED;
	err = check_nd_options(skb, endpoint, options);
	if (err)
		return err;
	if (type == ND_NEIGHBOR_SOLICIT)
		return handle_solicitation(skb, endpoint, ip6, &nd);
	return owns(endpoint, &nd.target) ? GO_ON : -DROP_SPOOFED_ARP;
}

#endif
