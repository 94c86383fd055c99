/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Head-end replication of broadcast, multicast and unknown unicast: each member of the network's list but the
 * sender gets one copy. Frames that came from another node go to local members only (split horizon), because the
 * sending node has served the others itself. The cost is one clone and one transmission per member, so it grows
 * with the network; ARP and neighbour discovery, most of all broadcast, are answered before they come here.
 */
#ifndef PLAIT_FLOOD_H
#define PLAIT_FLOOD_H

#include "counters.h"
#include "slow.h"
#include "verdict.h"

struct flooding {
	struct __sk_buff *skb;
	void *members;
	__u32 vni;
	__u32 len;
	__u32 except; /* host end of the sender; 0 when it is on another node */
};

static __always_inline void copy_to_vtep(const struct flooding *flooding, __u32 index)
{
	struct vtep *vtep = bpf_map_lookup_elem(&vteps, &index);

	if (!vtep || !(vtep->flags & VTEP_VALID))
		return;
	if (set_tunnel_key(flooding->skb, flooding->vni, vtep) < 0)
		return;
	if (bpf_clone_redirect(flooding->skb, vxlan_ifindex, 0))
		return;
	count_tx(&vtep_counters, index, flooding->len);
	count_event(EVENT_SLOW_SENT, flooding->len);
}

static __always_inline void copy_to_endpoint(const struct flooding *flooding, __u32 ifindex, __u32 slot)
{
	if (ifindex != flooding->except && !bpf_clone_redirect(flooding->skb, ifindex, 0))
		count_rx(&endpoint_counters, slot, flooding->len);
}

/*
 * bpf_loop's callback: 1 ends the loop, at the end of the array. The agent may write the place meanwhile, so it is
 * loaded once and whole: the first half of one member with the second half of another is somebody else.
 */
static long copy_to_member(__u32 i, struct flooding *flooding)
{
	const volatile __u64 *place = bpf_map_lookup_elem(flooding->members, &i);
	union {
		__u64 whole;
		struct flood_member member;
	} loaded;

	if (!place)
		return 1;
	loaded.whole = *place;
	if (!loaded.whole)
		return 0;
	if (loaded.member.ifindex)
		copy_to_endpoint(flooding, loaded.member.ifindex, loaded.member.slot);
	else if (flooding->except)
		copy_to_vtep(flooding, loaded.member.slot);
	return 0;
}

static __always_inline int flood_frame(struct __sk_buff *skb, __u32 vni, __u32 except)
{
	struct flooding flooding = { .skb = skb, .vni = vni, .len = skb->len, .except = except };

	flooding.members = bpf_map_lookup_elem(&flood, &vni);
	if (!flooding.members)
		return -DROP_NO_MEMBERS;
	count_event(EVENT_FLOODED, skb->len);
	bpf_loop(MAX_FLOOD_MEMBERS, copy_to_member, &flooding, 0);
	return DONE;
}

#endif
