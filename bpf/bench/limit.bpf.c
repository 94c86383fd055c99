// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The least that any datapath of this kind does, for one flow of IPv4 between two containers: a constant outer header,
 * room for it, a redirect; and back. No guard, no lookup, no counter, no slow path. What is faster than this needs
 * another way through the kernel; what is slower is the datapath's own. Only `npm run bench:limit` loads it.
 */
#include <stdbool.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "../lib/checksum.h"
#include "../lib/vxlan.h"

#ifndef BPF_F_ADJ_ROOM_DECAP_L3_IPV4
#define BPF_F_ADJ_ROOM_DECAP_L3_IPV4 (1ULL << 7)
#endif

#define FIXED (BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_NO_CSUM_RESET)
#define WORDS(bytes) ((bytes) / sizeof(__u16))

const volatile __u32 underlay_ifindex = 0;
const volatile __be32 next_hop = 0;
/* The host end of the container here. */
const volatile __u32 endpoint_ifindex = 0;
/* Outer IP to inner Ethernet of what leaves; lengths are 0, and the IP checksum is that of a length of 0. */
const volatile __u16 outer[WORDS(OVERHEAD4)] = {};
/* Inner Ethernet of what arrives. */
const volatile __u16 inner[WORDS(ETH_HLEN)] = {};
/* As in lib/config.h. */
const volatile bool decap_l3_flags = false;

static __always_inline __be16 length16(__u32 len)
{
	return len > 0xffff ? 0 : bpf_htons(len);
}

SEC("tc")
int from_container(struct __sk_buff *skb)
{
	struct bpf_redir_neigh hop = { .nh_family = 2 /* AF_INET */, .ipv4_nh = next_hop };
	const __u32 len = skb->len - ETH_HLEN + OVERHEAD4;
	struct iphdr *ip;
	struct udphdr *udp;
	__u32 i;

	if (skb->protocol != bpf_htons(ETH_P_IP))
		return TC_ACT_SHOT;
	if (bpf_skb_adjust_room(skb, OVERHEAD4, BPF_ADJ_ROOM_MAC,
				FIXED | BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 | BPF_F_ADJ_ROOM_ENCAP_L4_UDP |
					BPF_F_ADJ_ROOM_ENCAP_L2(ETH_HLEN) | BPF_F_ADJ_ROOM_ENCAP_L2_ETH))
		return TC_ACT_SHOT;
	ip = (void *)(long)skb->data + ETH_HLEN;
	if ((void *)ip + OVERHEAD4 > (void *)(long)skb->data_end)
		return TC_ACT_SHOT;
#pragma unroll
	for (i = 0; i < WORDS(OVERHEAD4); i++)
		((__u16 *)ip)[i] = outer[i];
	udp = (void *)(ip + 1);
	ip->tot_len = length16(len);
	udp->len = length16(len - sizeof(*ip));
	ip->check = fold((__u16)~ip->check + ip->tot_len);
	return bpf_redirect_neigh(underlay_ifindex, &hop, sizeof(hop), 0);
}

SEC("tc")
int from_underlay(struct __sk_buff *skb)
{
	struct iphdr *ip = (void *)(long)skb->data + ETH_HLEN;
	struct udphdr *udp = (void *)(ip + 1);
	__u16 *eth;
	__u32 i;

	if (skb->protocol != bpf_htons(ETH_P_IP) || (void *)(udp + 1) > (void *)(long)skb->data_end)
		return TC_ACT_UNSPEC;
	if (ip->protocol != IPPROTO_UDP || udp->dest != (__be16)outer[WORDS(sizeof(*ip)) + 1])
		return TC_ACT_UNSPEC;
	if (bpf_skb_adjust_room(skb, -(int)OVERHEAD4, BPF_ADJ_ROOM_MAC,
				FIXED | (decap_l3_flags ? BPF_F_ADJ_ROOM_DECAP_L3_IPV4 : 0)))
		return TC_ACT_SHOT;
	bpf_csum_level(skb, BPF_CSUM_LEVEL_DEC);
	eth = (void *)(long)skb->data;
	if ((void *)(eth + WORDS(ETH_HLEN)) > (void *)(long)skb->data_end)
		return TC_ACT_SHOT;
#pragma unroll
	for (i = 0; i < WORDS(ETH_HLEN); i++)
		eth[i] = inner[i];
	return bpf_redirect_peer(endpoint_ifindex, 0);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
