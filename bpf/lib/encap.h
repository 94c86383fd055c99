/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The fast path out: the frame grows by the outer headers in place and leaves by the kernel's neighbour entry of
 * the next hop. The skb keeps its socket, its hash and its offloads: the flags tell the kernel what the new bytes
 * are, so that a 64 KB GSO packet stays one and its checksums stay with whoever was to fill them in.
 */
#ifndef PLAIT_ENCAP_H
#define PLAIT_ENCAP_H

#include "address.h"
#include "checksum.h"
#include "config.h"
#include "ecn.h"
#include "ethernet.h"
#include "hash.h"
#include "slow.h"
#include "vxlan.h"

#define ENCAP_FLAGS                                                                                                    \
	(BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_NO_CSUM_RESET | BPF_F_ADJ_ROOM_ENCAP_L4_UDP |                       \
	 BPF_F_ADJ_ROOM_ENCAP_L2(sizeof(struct ethhdr)) | BPF_F_ADJ_ROOM_ENCAP_L2_ETH)

/* What the outer headers take over from the inner packet; gathered before that moves. */
struct flow {
	struct ethhdr eth;
	__u32 hash;
	__be16 id;
	__u8 ecn;
};

/* The kernel's own formula (udp_flow_src_port), so that one flow keeps one path. */
static __always_inline __be16 source_port(__u32 hash)
{
	hash ^= hash << 16;
	return bpf_htons((((__u64)hash * SOURCE_PORTS) >> 32) + MIN_SOURCE_PORT);
}

/*
 * A length field of 16 bits for a packet that may be a GSO aggregate of more than that: 0, as the kernel writes
 * it, since whoever segments the packet fills it in.
 */
static __always_inline __be16 length16(__u32 len)
{
	return len > 0xffff ? 0 : bpf_htons(len);
}

/* DF stays clear: the receiving kernel reassembles what a router had to cut, and the slow path there takes it. */
static __always_inline void write_ipv4(struct iphdr *ip, const struct vtep *vtep, const struct flow *flow, __u32 len)
{
	*(__be16 *)ip = bpf_htons(0x4500 | flow->ecn);
	ip->tot_len = length16(len);
	ip->id = flow->id;
	ip->frag_off = 0;
	ip->ttl = DEFAULT_TTL;
	ip->protocol = IPPROTO_UDP;
	ip->check = 0;
	ip->saddr = vtep->local.w[3];
	ip->daddr = vtep->remote.w[3];
	ip->check = ipv4_checksum(ip);
}

static __always_inline void write_ipv6(struct ipv6hdr *ip6, const struct vtep *vtep, const struct flow *flow,
				       __u32 payload)
{
	*(__be32 *)ip6 = bpf_htonl(6u << 28 | flow->ecn << 20 | (flow->hash & 0xfffff));
	ip6->payload_len = length16(payload);
	ip6->nexthdr = IPPROTO_UDP;
	ip6->hop_limit = DEFAULT_TTL;
	addr_copy(&ip6->saddr, vtep->local.w);
	addr_copy(&ip6->daddr, vtep->remote.w);
}

/* The UDP checksum is 0 on IPv4 by RFC 7348 section 5 and on IPv6 by RFC 6935: the inner packet has its own. */
static __always_inline void write_udp_vxlan(struct udphdr *udp, __u32 vni, const struct flow *flow, __u32 len)
{
	struct vxlanhdr *vxlan = (void *)(udp + 1);

	udp->source = source_port(flow->hash);
	udp->dest = bpf_htons(vxlan_port);
	udp->len = length16(len);
	udp->check = 0;
	vxlan->flags = VXLAN_HAS_VNI;
	vxlan->vni = bpf_htonl(vni << 8);
	eth_copy((void *)(vxlan + 1), &flow->eth);
}

static __always_inline int send4(struct __sk_buff *skb, __u32 vni, const struct vtep *vtep, const struct flow *flow)
{
	struct bpf_redir_neigh hop = { .nh_family = 2 /* AF_INET */, .ipv4_nh = vtep->next_hop.w[3] };
	const __u32 len = skb->len - sizeof(struct ethhdr) + OVERHEAD4;
	struct iphdr *ip;

	if (bpf_skb_adjust_room(skb, OVERHEAD4, BPF_ADJ_ROOM_MAC, ENCAP_FLAGS | BPF_F_ADJ_ROOM_ENCAP_L3_IPV4))
		return send_slow(skb, vni, vtep);
	ip = (void *)(long)skb->data + sizeof(struct ethhdr);
	if ((void *)ip + OVERHEAD4 > (void *)(long)skb->data_end)
		return -DROP_ENCAP_FAILED;
	write_ipv4(ip, vtep, flow, len);
	write_udp_vxlan((void *)(ip + 1), vni, flow, len - sizeof(*ip));
	return bpf_redirect_neigh(vtep->ifindex, &hop, sizeof(hop), 0);
}

static __always_inline int send6(struct __sk_buff *skb, __u32 vni, const struct vtep *vtep, const struct flow *flow)
{
	struct bpf_redir_neigh hop = { .nh_family = 10 /* AF_INET6 */ };
	const __u32 len = skb->len - sizeof(struct ethhdr) + OVERHEAD6 - sizeof(struct ipv6hdr);
	struct ipv6hdr *ip6;

	if (bpf_skb_adjust_room(skb, OVERHEAD6, BPF_ADJ_ROOM_MAC, ENCAP_FLAGS | BPF_F_ADJ_ROOM_ENCAP_L3_IPV6))
		return send_slow(skb, vni, vtep);
	ip6 = (void *)(long)skb->data + sizeof(struct ethhdr);
	if ((void *)ip6 + OVERHEAD6 > (void *)(long)skb->data_end)
		return -DROP_ENCAP_FAILED;
	write_ipv6(ip6, vtep, flow, len);
	write_udp_vxlan((void *)(ip6 + 1), vni, flow, len);
	addr_copy(hop.ipv6_nh, vtep->next_hop.w);
	return bpf_redirect_neigh(vtep->ifindex, &hop, sizeof(hop), 0);
}

/* Datagrams that this is going to be. Where the packet does not say (a raw socket's aggregate): as many as can be. */
static __always_inline __u32 datagrams(const struct __sk_buff *skb)
{
	if (!skb->gso_size)
		return 1;
	return skb->gso_segs ? skb->gso_segs : skb->len / skb->gso_size + 1;
}

/*
 * Takes the outer IP-IDs of this packet, and returns the first: whoever segments an aggregate counts up from it. A CPU
 * repeats an ID of a flow after 65536 datagrams to that node and not earlier, as random ones would (RFC 6864 section
 * 4.3). Each CPU begins somewhere else, for a flow may move between them. GRO, too, wants IDs that count up (since
 * Linux 6.10, where DF is clear).
 */
static __always_inline __be16 take_ids(const struct __sk_buff *skb, struct traffic *traffic, __u32 hash)
{
	__u64 first;

	if (!traffic)
		return bpf_htons(hash);
	first = traffic->outer_id;
	if (!first)
		first = 1ull + bpf_get_prandom_u32();
	traffic->outer_id = first + datagrams(skb);
	return bpf_htons(hash + first);
}

/*
 * Sends an IP packet to another node; `traffic` counts what this CPU sends there. Whatever adjust_room refuses takes
 * the slow path, untouched.
 */
static __always_inline int send_fast(struct __sk_buff *skb, __u32 vni, const struct vtep *vtep, struct traffic *traffic)
{
	struct flow flow = {};
	struct ethhdr *eth = (void *)(long)skb->data;

	if ((void *)eth + sizeof(*eth) + sizeof(struct iphdr) > (void *)(long)skb->data_end)
		return -DROP_TRUNCATED;
	eth_copy(&flow.eth, eth);
	flow.ecn = ecn_of(eth->h_proto, eth + 1);
	flow.hash = flow_hash(skb, eth);
	flow.id = take_ids(skb, traffic, flow.hash);
	if (vtep->flags & VTEP_IPV6)
		return send6(skb, vni, vtep, &flow);
	return send4(skb, vni, vtep, &flow);
}

#endif
