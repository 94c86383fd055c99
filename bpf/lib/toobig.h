/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Packets that do not fit, answered in place: ICMP "fragmentation needed" (RFC 792, RFC 1191) and ICMPv6 "packet
 * too big" (RFC 4443 section 3.2), from the gateway's address or, without one, from the destination's. They are not
 * limited: one answer of 170 or 190 bytes replaces a longer packet, and goes to its guarded source.
 */
#ifndef PLAIT_TOOBIG_H
#define PLAIT_TOOBIG_H

#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>

#include "address.h"
#include "checksum.h"
#include "ethernet.h"
#include "extensions.h"
#include "ip.h"
#include "verdict.h"
#include "vxlan.h"

/*
 * Bytes of the offending packet to quote. More than the RFCs ask for on IPv4 and enough for any header chain that a
 * kernel looks through; a constant, because every packet that is too big is longer than SCRATCH.
 */
#define QUOTE 128
#define SCRATCH (2 * QUOTE)

#define ICMP_ECHOREPLY 0
#define ICMP_DEST_UNREACH 3
#define ICMP_FRAG_NEEDED 4
#define ICMP_ECHO 8
#define ICMPV6_TOO_BIG 2
#define ICMPV6_FIRST_INFO 128

/* Both messages: the MTU of RFC 1191 is the lower half of a word whose upper half is 0. linux/icmp.h wants libc. */
struct icmp_error {
	__u8 type;
	__u8 code;
	__sum16 checksum;
	__be32 mtu;
};

struct answer4 {
	__be16 pad; /* so that the IP header is aligned */
	struct ethhdr eth;
	struct iphdr ip;
	struct icmp_error icmp;
	__u8 quote[QUOTE];
};

struct answer6 {
	__be16 pad;
	struct ethhdr eth;
	struct ipv6hdr ip6;
	struct icmp_error icmp;
	__u8 quote[QUOTE];
};

#define ANSWER_LEN(answer) (sizeof(answer) - sizeof((answer).pad))

/* Bytes of TCP or UDP header at `offset`. Others are not segmented here: the least that there can be. */
static __always_inline __u32 transport_len(struct __sk_buff *skb, __u8 protocol, __u32 offset)
{
	__u8 data_offset;

	if (protocol != IPPROTO_TCP)
		return sizeof(struct udphdr);
	if (bpf_skb_load_bytes(skb, offset + 12, &data_offset, sizeof(data_offset)))
		return sizeof(struct tcphdr);
	return (data_offset >> 4) * 4;
}

/* Bytes of the IP packet, or of the largest that a GSO packet is going to be cut into. */
static __always_inline __u32 packet_size(struct __sk_buff *skb, __be16 proto)
{
	void *l3 = (void *)(long)skb->data + sizeof(struct ethhdr);
	struct ipv6hdr *ip6 = l3;
	struct iphdr *ip = l3;
	__u32 header;

	if (!skb->gso_size)
		return skb->len - sizeof(struct ethhdr);
	if (proto == bpf_htons(ETH_P_IP)) {
		if ((void *)(ip + 1) > (void *)(long)skb->data_end)
			return 0;
		header = ip->ihl * 4;
		header += transport_len(skb, ip->protocol, sizeof(struct ethhdr) + header);
	} else {
		if ((void *)(ip6 + 1) > (void *)(long)skb->data_end)
			return 0;
		header = sizeof(*ip6) + transport_len(skb, ip6->nexthdr, sizeof(struct ethhdr) + sizeof(*ip6));
	}
	return header + skb->gso_size;
}

static __always_inline bool fits(struct __sk_buff *skb, __be16 proto, __u32 mtu)
{
	if (skb->len - sizeof(struct ethhdr) <= mtu)
		return true;
	return is_ip(proto) && skb->gso_size && packet_size(skb, proto) <= mtu;
}

/*
 * Empties the skb and gives it the answer's length. Cutting it resets GSO; taking bytes off the front resets a
 * pending checksum, which would be written into the quotation otherwise.
 */
static __always_inline int make_room(struct __sk_buff *skb, __u32 len)
{
	if (skb->len < sizeof(struct ethhdr) + SCRATCH)
		return -DROP_TOO_BIG;
	if (bpf_skb_change_tail(skb, sizeof(struct ethhdr) + SCRATCH, 0))
		return -DROP_TOO_BIG;
	if (bpf_skb_adjust_room(skb, -QUOTE, BPF_ADJ_ROOM_MAC, 0))
		return -DROP_TOO_BIG;
	return bpf_skb_change_tail(skb, len, 0) ? -DROP_TOO_BIG : GO_ON;
}

/* An error about an error, a later fragment, or a packet for many must not be sent (RFC 1122 section 3.2.2). */
static __always_inline bool may_answer4(const struct iphdr *ip, __u8 icmp_type)
{
	if (ip->frag_off & bpf_htons(IP_OFFSET) || is_group4(ip->daddr))
		return false;
	return ip->protocol != IPPROTO_ICMP || icmp_type == ICMP_ECHO || icmp_type == ICMP_ECHOREPLY;
}

/*
 * RFC 4443 section 2.4 e: no error about an error, also behind extension headers, and none to the unspecified address.
 * One about a packet for many may be sent, but not in their name.
 */
static __always_inline bool may_answer6(struct __sk_buff *skb, const struct ipv6hdr *ip6, const struct addr *gateway)
{
	struct chain chain;
	__u8 type;

	if (addr_is_zero(&ip6->saddr) || (is_group6(&ip6->daddr) && (!gateway || addr_is_zero(gateway))))
		return false;
	start_chain(&chain, ip6);
	if (follow_chain(skb, &chain))
		return false;
	if (chain.next != IPPROTO_ICMPV6)
		return true;
	return !chain.headless && !bpf_skb_load_bytes(skb, chain.offset, &type, sizeof(type)) &&
	       type >= ICMPV6_FIRST_INFO;
}

static __always_inline int answer_too_big4(struct __sk_buff *skb, const struct addr *gateway, __u32 mtu)
{
	struct answer4 answer = {};
	struct iphdr *quoted = (void *)answer.quote;
	struct ethhdr eth;
	__u8 type = 0;
	int err;

	if (bpf_skb_load_bytes(skb, 0, &eth, sizeof(eth)) || bpf_skb_load_bytes(skb, sizeof(eth), answer.quote, QUOTE))
		return -DROP_TOO_BIG;
	if (bpf_skb_load_bytes(skb, sizeof(eth) + quoted->ihl * 4, &type, sizeof(type)) || !may_answer4(quoted, type))
		return -DROP_TOO_BIG;
	mac_copy(answer.eth.h_dest, eth.h_source);
	mac_copy(answer.eth.h_source, eth.h_dest);
	answer.eth.h_proto = eth.h_proto;
	*(__be16 *)&answer.ip = bpf_htons(0x4500);
	answer.ip.tot_len = bpf_htons(sizeof(answer.ip) + sizeof(answer.icmp) + QUOTE);
	answer.ip.ttl = DEFAULT_TTL;
	answer.ip.protocol = IPPROTO_ICMP;
	answer.ip.saddr = gateway && gateway->w[3] ? gateway->w[3] : quoted->daddr;
	answer.ip.daddr = quoted->saddr;
	answer.ip.check = ipv4_checksum(&answer.ip);
	answer.icmp.type = ICMP_DEST_UNREACH;
	answer.icmp.code = ICMP_FRAG_NEEDED;
	answer.icmp.mtu = bpf_htonl(mtu);
	answer.icmp.checksum = icmp_checksum((__be32 *)&answer.icmp, sizeof(answer.icmp) + QUOTE);

	err = make_room(skb, ANSWER_LEN(answer));
	if (err)
		return err;
	return bpf_skb_store_bytes(skb, 0, &answer.eth, ANSWER_LEN(answer), 0) ? -DROP_TOO_BIG : GO_ON;
}

static __always_inline int answer_too_big6(struct __sk_buff *skb, const struct addr *gateway, __u32 mtu)
{
	struct answer6 answer = {};
	struct ipv6hdr *quoted = (void *)answer.quote;
	struct ethhdr eth;
	int err;

	if (bpf_skb_load_bytes(skb, 0, &eth, sizeof(eth)) || bpf_skb_load_bytes(skb, sizeof(eth), answer.quote, QUOTE))
		return -DROP_TOO_BIG;
	if (!may_answer6(skb, quoted, gateway))
		return -DROP_TOO_BIG;
	mac_copy(answer.eth.h_dest, eth.h_source);
	mac_copy(answer.eth.h_source, eth.h_dest);
	answer.eth.h_proto = eth.h_proto;
	*(__be32 *)&answer.ip6 = bpf_htonl(6u << 28);
	answer.ip6.payload_len = bpf_htons(sizeof(answer.icmp) + QUOTE);
	answer.ip6.nexthdr = IPPROTO_ICMPV6;
	answer.ip6.hop_limit = DEFAULT_TTL;
	addr_copy(&answer.ip6.saddr, gateway && !addr_is_zero(gateway) ? gateway->w : (void *)&quoted->daddr);
	addr_copy(&answer.ip6.daddr, &quoted->saddr);
	answer.icmp.type = ICMPV6_TOO_BIG;
	answer.icmp.mtu = bpf_htonl(mtu);
	answer.icmp.checksum = icmpv6_checksum(&answer.ip6, (__be32 *)&answer.icmp, sizeof(answer.icmp) + QUOTE);

	err = make_room(skb, ANSWER_LEN(answer));
	if (err)
		return err;
	return bpf_skb_store_bytes(skb, 0, &answer.eth, ANSWER_LEN(answer), 0) ? -DROP_TOO_BIG : GO_ON;
}

/*
 * Turns the packet into the answer to its sender. `network` names the gateway; NULL answers in the destination's
 * name.
 */
static __always_inline int refuse_too_big(struct __sk_buff *skb, const struct network *network, __be16 proto, __u32 mtu)
{
	int err = -DROP_TOO_BIG;

	if (proto == bpf_htons(ETH_P_IP))
		err = answer_too_big4(skb, network ? &network->gateway4 : NULL, mtu);
	else if (proto == bpf_htons(ETH_P_IPV6))
		err = answer_too_big6(skb, network ? &network->gateway6 : NULL, mtu);
	return err ? err : ANSWERED;
}

#endif
