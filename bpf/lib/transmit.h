/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is different where a program runs inside the transmission of a container's interface (netkit) and not behind the
 * reception on its host end (veth). bpf/README.md has the whole comparison.
 */
#ifndef PLAIT_TRANSMIT_H
#define PLAIT_TRANSMIT_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/pkt_cls.h>

#include "ethernet.h"

/* Reception writes the device into the skb, transmission through a netkit clears it. */
static __always_inline bool is_transmitting(const struct __sk_buff *skb)
{
	return !skb->ingress_ifindex;
}

/*
 * Ends the frame. A dropping verdict would be the return value of the container's transmission: ENOBUFS for who asked,
 * congestion for TCP. A redirect to nowhere frees the frame as silently as a wire does.
 */
static __always_inline int discard(const struct __sk_buff *skb)
{
	return is_transmitting(skb) ? bpf_redirect(0, 0) : TC_ACT_SHOT;
}

/*
 * Makes skb->protocol that of the Ethernet header. Nothing sets it directly; but taking a VLAN tag out of the packet
 * makes the kernel read the header anew, and only the outer one of two tags is put into the packet at all. False: no
 * memory, and the frame may have a tag now. Afterwards pointers into the packet have to be taken anew.
 */
static __always_inline bool reread_protocol(struct __sk_buff *skb)
{
	const __be16 tag = bpf_htons(ETH_P_8021Q);

	return !bpf_skb_vlan_push(skb, tag, 0) && !bpf_skb_vlan_push(skb, tag, 0) && !bpf_skb_vlan_pop(skb) &&
	       !bpf_skb_vlan_pop(skb);
}

/*
 * skb->protocol comes as the sending socket has set it, where a veth would have read it from the header. A frame with a
 * tag, which others refuse, is left alone: its own would be taken out. Read by a helper, which spares the verifier a
 * sixth of from_container: pointers that differ behind the branch would have it walk all that follows twice.
 */
static __always_inline bool trust_protocol(struct __sk_buff *skb)
{
	__be16 proto;

	if (bpf_skb_load_bytes(skb, offsetof(struct ethhdr, h_proto), &proto, sizeof(proto)))
		return false;
	return proto == skb->protocol || is_vlan(proto) || reread_protocol(skb);
}

#endif
