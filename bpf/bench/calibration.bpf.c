// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What `npm run bench:programs` measures beside the datapath: programs that do nothing, whose time is taken off every
 * figure, a fixed piece of work that figures of different machines can be divided by, and a way into from_vxlan, whose
 * packets carry tunnel metadata that a test run cannot give. Not part of the datapath's object.
 */
#include <stdbool.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define GROWTH 50

/* A key of 20 bytes, as the longest of the datapath's. Written by user space: the first words 0 to 3. */
struct work_key {
	__u32 word[5];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct work_key);
	__type(value, __u64);
} work SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} done SEC(".maps");

/* What through_tunnel goes on to, by skb->mark. Written by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} next SEC(".maps");

/* Of the tunnel that packets seem to have come through. Host byte order: so the helper wants it. */
const volatile __u32 tunnel_vni = 0;
const volatile __u32 tunnel_from = 0;

SEC("tc")
int empty(struct __sk_buff *skb __attribute__((unused)))
{
	return TC_ACT_UNSPEC;
}

SEC("xdp.frags")
int empty_xdp(struct xdp_md *xdp __attribute__((unused)))
{
	return XDP_PASS;
}

static __always_inline bool look_up(__u32 i)
{
	struct work_key key = { .word = { i } };
	__u64 *value = bpf_map_lookup_elem(&work, &key);
	__u64 *count = bpf_map_lookup_elem(&done, &i);

	if (!value || !count)
		return false;
	*count += *value;
	return true;
}

/*
 * As much as a packet to another node takes, of the same kinds: lookups, counters, room made and headers written. It
 * is never made faster or slower: figures that were divided by it would mean something else from then on.
 */
SEC("tc")
int calibration(struct __sk_buff *skb)
{
	const __u64 flags = BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_NO_CSUM_RESET | BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 |
			    BPF_F_ADJ_ROOM_ENCAP_L4_UDP | BPF_F_ADJ_ROOM_ENCAP_L2(sizeof(struct ethhdr)) |
			    BPF_F_ADJ_ROOM_ENCAP_L2_ETH;
	__u32 *word;

	if (!look_up(0) || !look_up(1) || !look_up(2) || !look_up(3))
		return TC_ACT_SHOT;
	if (bpf_skb_adjust_room(skb, GROWTH, BPF_ADJ_ROOM_MAC, flags))
		return TC_ACT_SHOT;
	word = (void *)(long)skb->data + sizeof(struct ethhdr);
	if ((void *)word + GROWTH > (void *)(long)skb->data_end)
		return TC_ACT_SHOT;
	for (__u32 i = 0; i < GROWTH / sizeof(*word); i++)
		word[i] = bpf_htonl(i);
	return TC_ACT_OK;
}

/* The kernel gives the receiver as the source what the sender's key called its own address. */
SEC("tc")
int through_tunnel(struct __sk_buff *skb)
{
	struct bpf_tunnel_key key = { .tunnel_id = tunnel_vni, .local_ipv4 = tunnel_from, .tunnel_ttl = 64 };

	if (bpf_skb_set_tunnel_key(skb, &key, sizeof(key), 0))
		return TC_ACT_SHOT;
	bpf_tail_call(skb, &next, skb->mark);
	return TC_ACT_SHOT;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
