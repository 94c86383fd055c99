// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * tcx ingress of the collect-metadata vxlan device: the slow path in. The kernel has reassembled, checked and
 * decapsulated; the sender and the destination are still ours to judge. Nothing passes to the stack.
 */
#include "lib/deliver.h"
#include "lib/flood.h"
#include "lib/receive.h"

/* The outer source in one form. IPv4 comes in host byte order and IPv6 in network byte order: so it is defined. */
static __always_inline int read_tunnel(struct __sk_buff *skb, struct addr *from, __u32 *vni)
{
	struct bpf_tunnel_key key = {};

	if (!bpf_skb_get_tunnel_key(skb, &key, sizeof(key), 0)) {
		addr_from4(from, bpf_htonl(key.remote_ipv4));
	} else if (!bpf_skb_get_tunnel_key(skb, &key, sizeof(key), BPF_F_TUNINFO_IPV6)) {
		addr_copy(from->w, key.remote_ipv6);
	} else {
		return -DROP_DECAP_FAILED;
	}
	*vni = key.tunnel_id;
	return GO_ON;
}

static __always_inline int handle(struct __sk_buff *skb, struct frame *frame)
{
	struct fdb_entry to = {};
	struct ethhdr *data, eth;
	const struct sender *sender;
	struct addr from;
	int verdict;

	verdict = read_tunnel(skb, &from, &frame->vni);
	if (verdict)
		return verdict;
	sender = find_sender(frame->vni, &from);
	if (!sender)
		return refuse_sender(frame->vni);
	data = (void *)(long)skb->data;
	if ((void *)(data + 1) > (void *)(long)skb->data_end)
		return -DROP_TRUNCATED;
	eth_copy(&eth, data);
	if (skb->vlan_present || is_vlan(eth.h_proto))
		return -DROP_VLAN;
	verdict = find_destination(frame->vni, eth.h_dest, &to);
	if (verdict)
		return verdict;
	count_rx(&vtep_counters, sender->vtep, skb->len);
	count_event(EVENT_SLOW_RECEIVED, skb->len);
	if (!to.ifindex)
		return flood_frame(skb, frame->vni, 0);
	return deliver(skb, to.ifindex, to.slot, skb->protocol);
}

SEC("tc")
int from_vxlan(struct __sk_buff *skb)
{
	struct frame frame = { .hook = HOOK_FROM_VXLAN, .slot = NO_SLOT, .len = skb->len };

	return finish(skb, &frame, handle(skb, &frame));
}

char LICENSE[] SEC("license") __attribute__((weak)) = "Dual BSD/GPL";
