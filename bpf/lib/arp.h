/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* ARP from a container: guarded, and answered in place where the map knows the address (RFC 826, RFC 5227). */
#ifndef PLAIT_ARP_H
#define PLAIT_ARP_H

#include "address.h"
#include "counters.h"
#include "ethernet.h"
#include "verdict.h"

/* linux/if_arp.h wants libc. */
#define ARPHRD_ETHER 1
#define ARPOP_REQUEST 1
#define ARPOP_REPLY 2

/* ARP for IPv4 over Ethernet, with its frame; the addresses are odd, hence by halves. */
struct arp_frame {
	struct ethhdr eth;
	__be16 hardware;
	__be16 protocol;
	__u8 hardware_len;
	__u8 protocol_len;
	__be16 operation;
	__u8 sender_mac[ETH_ALEN];
	__u16 sender_ip[2];
	__u8 target_mac[ETH_ALEN];
	__u16 target_ip[2];
};

_Static_assert(sizeof(struct arp_frame) == 42, "ARP over Ethernet");

static __always_inline __be32 join(const __u16 half[2])
{
	return (__u32)half[1] << 16 | half[0];
}

static __always_inline int reply_arp(struct __sk_buff *skb, struct arp_frame *arp, const __u8 *mac)
{
	__u16 asked[2] = { arp->target_ip[0], arp->target_ip[1] };

	mac_copy(arp->eth.h_dest, arp->eth.h_source);
	mac_copy(arp->eth.h_source, mac);
	arp->operation = bpf_htons(ARPOP_REPLY);
	mac_copy(arp->target_mac, arp->sender_mac);
	arp->target_ip[0] = arp->sender_ip[0];
	arp->target_ip[1] = arp->sender_ip[1];
	mac_copy(arp->sender_mac, mac);
	arp->sender_ip[0] = asked[0];
	arp->sender_ip[1] = asked[1];
	if (bpf_skb_store_bytes(skb, 0, arp, sizeof(*arp), 0))
		return -DROP_TRUNCATED;
	count_event(EVENT_ARP_ANSWERED, skb->len);
	return bpf_redirect(skb->ifindex, 0);
}

/* GO_ON for what is to be forwarded: replies, announcements, and questions that the map cannot answer. */
static __always_inline int handle_arp(struct __sk_buff *skb, const struct endpoint *endpoint)
{
	struct neighbor_key key = { .vni = endpoint->vni };
	struct neighbor *neighbor;
	struct arp_frame arp;
	__be32 sender, target;

	if (bpf_skb_load_bytes(skb, 0, &arp, sizeof(arp)))
		return -DROP_TRUNCATED;
	if (arp.hardware != bpf_htons(ARPHRD_ETHER) || arp.protocol != bpf_htons(ETH_P_IP) ||
	    arp.hardware_len != ETH_ALEN || arp.protocol_len != sizeof(__be32))
		return -DROP_SPOOFED_ARP;
	sender = join(arp.sender_ip);
	target = join(arp.target_ip);
	if (!mac_equal(arp.sender_mac, endpoint->mac) || (sender && sender != endpoint->ip4))
		return -DROP_SPOOFED_ARP;
	/* An announcement, or a probe for its own address: only another owner may answer. */
	if (target == endpoint->ip4 && target)
		return GO_ON;
	if (arp.operation == bpf_htons(ARPOP_REQUEST)) {
		addr_from4(&key.addr, target);
		neighbor = bpf_map_lookup_elem(&neighbors, &key);
		if (neighbor)
			return reply_arp(skb, &arp, neighbor->mac);
	}
	/* A probe for somebody else's address would make its owner give it up (RFC 5227 section 2.1.1). */
	return sender ? GO_ON : -DROP_SPOOFED_ARP;
}

#endif
