/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The slow path out: the kernel's collect-metadata vxlan device encapsulates. For what bpf_skb_adjust_room cannot
 * do (frames that are not IP, tunnels inside the container), for copies of flooded frames, and for packets that
 * the underlay has to fragment.
 */
#ifndef PLAIT_SLOW_H
#define PLAIT_SLOW_H

#include "address.h"
#include "config.h"
#include "counters.h"
#include "verdict.h"
#include "vxlan.h"

static __always_inline int set_tunnel_key(struct __sk_buff *skb, __u32 vni, const struct vtep *vtep)
{
	struct bpf_tunnel_key key = { .tunnel_id = vni, .tunnel_ttl = DEFAULT_TTL };
	__u64 flags = BPF_F_ZERO_CSUM_TX;

	/* IPv4 in host byte order, IPv6 in network byte order: so it is defined. */
	if (vtep->flags & VTEP_IPV6) {
		addr_copy(key.remote_ipv6, vtep->remote.w);
		addr_copy(key.local_ipv6, vtep->local.w);
		flags |= BPF_F_TUNINFO_IPV6;
	} else {
		key.remote_ipv4 = bpf_ntohl(vtep->remote.w[3]);
		key.local_ipv4 = bpf_ntohl(vtep->local.w[3]);
	}
	return bpf_skb_set_tunnel_key(skb, &key, sizeof(key), flags) ? -DROP_ENCAP_FAILED : GO_ON;
}

static __always_inline int send_slow(struct __sk_buff *skb, __u32 vni, const struct vtep *vtep)
{
	int err = set_tunnel_key(skb, vni, vtep);

	if (err)
		return err;
	count_event(EVENT_SLOW_SENT, skb->len);
	return bpf_redirect(vxlan_ifindex, 0);
}

#endif
