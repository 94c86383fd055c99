/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The last step to a container of this node. */
#ifndef PLAIT_DELIVER_H
#define PLAIT_DELIVER_H

#include <linux/if_packet.h>

#include "counters.h"
#include "ethernet.h"
#include "transmit.h"

/*
 * Hands the frame to the container behind host end `ifindex`. bpf_redirect_peer saves the softirq round of the pair,
 * but works behind a reception only, and leaves skb->protocol and the packet type as they are; where the protocol is
 * not the frame's (802.3 has none), a veth looks at the Ethernet header again.
 */
static __always_inline int deliver(struct __sk_buff *skb, __u32 ifindex, __u32 slot, __be16 proto)
{
	count_rx(&endpoint_counters, slot, skb->len);
	if (skb->protocol != proto || is_transmitting(skb))
		return bpf_redirect(ifindex, 0);
	/* Since Linux 6.15 the redirect does this itself. */
	if (skb->pkt_type != PACKET_HOST)
		bpf_skb_change_type(skb, PACKET_HOST);
	return bpf_redirect_peer(ifindex, 0);
}

#endif
