/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Ethernet headers and MAC addresses; by 16-bit words, because nothing here is aligned to more. */
#ifndef PLAIT_ETHERNET_H
#define PLAIT_ETHERNET_H

#include <stdbool.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "types.h"

/*
 * The gateway's MAC, the same on every node and every network ("PLAIT" after the locally administered 02), so
 * that the gateway is wherever the container is.
 */
static const __u8 gateway_mac[ETH_ALEN] = { 0x02, 0x50, 0x4c, 0x41, 0x49, 0x54 };

static __always_inline bool mac_equal(const void *a, const void *b)
{
	const __u16 *x = a, *y = b;

	return !((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]));
}

static __always_inline void mac_copy(void *to, const void *from)
{
	__u16 *x = to;
	const __u16 *y = from;

	x[0] = y[0];
	x[1] = y[1];
	x[2] = y[2];
}

static __always_inline void eth_copy(struct ethhdr *to, const struct ethhdr *from)
{
	mac_copy(to->h_dest, from->h_dest);
	mac_copy(to->h_source, from->h_source);
	to->h_proto = from->h_proto;
}

static __always_inline bool mac_is_group(const __u8 *mac)
{
	return mac[0] & 1;
}

static __always_inline bool is_vlan(__be16 proto)
{
	return proto == bpf_htons(ETH_P_8021Q) || proto == bpf_htons(ETH_P_8021AD);
}

static __always_inline bool is_ip(__be16 proto)
{
	return proto == bpf_htons(ETH_P_IP) || proto == bpf_htons(ETH_P_IPV6);
}

/*
 * Makes the first `len` bytes readable directly. veth hands over linear headers, virtio-net only 14 bytes of a
 * big packet; then the kernel copies them together. False: the packet is shorter than that. Afterwards pointers
 * into the packet have to be taken anew.
 */
static __always_inline bool pull(struct __sk_buff *skb, __u32 len)
{
	if ((void *)(long)skb->data + len <= (void *)(long)skb->data_end)
		return true;
	return skb->len >= len && !bpf_skb_pull_data(skb, len);
}

#endif
