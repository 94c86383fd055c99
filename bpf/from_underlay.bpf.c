// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * tcx ingress of the underlay device, after GRO: what other nodes send. What is not VXLAN for this node passes
 * untouched; what is gets checked against the senders of its network and goes to the container in place.
 */
#include "lib/decap.h"
#include "lib/deliver.h"
#include "lib/flood.h"
#include "lib/receive.h"
#include "lib/transmit.h"
#include "lib/underlay.h"

static __always_inline int read_packet(struct __sk_buff *skb, struct arrival *arrival)
{
	int verdict;

	/* Promiscuous mode's catch, or for a VLAN device above this one. */
	if (skb->pkt_type != PACKET_HOST || skb->vlan_present)
		return PASS;
	if (skb->protocol == bpf_htons(ETH_P_IP))
		verdict = read_underlay4(skb, arrival);
	else if (skb->protocol == bpf_htons(ETH_P_IPV6))
		verdict = read_underlay6(skb, arrival);
	else
		verdict = PASS;
	if (verdict)
		return verdict;
	return read_inner(skb, arrival);
}

static __always_inline int handle(struct __sk_buff *skb, struct frame *frame)
{
	struct fdb_entry to = {};
	struct arrival arrival = {};
	const struct sender *sender;
	int verdict, ecn;

	verdict = read_packet(skb, &arrival);
	if (verdict)
		return verdict;
	frame->vni = arrival.vni;
	sender = find_sender(arrival.vni, &arrival.from);
	if (!sender)
		return refuse_sender(arrival.vni);
	verdict = find_destination(arrival.vni, arrival.inner.h_dest, &to);
	if (verdict)
		return verdict;
	ecn = ecn_decapsulate(arrival.inner.h_proto, arrival.outer_ecn, arrival.inner_ecn);
	if (ecn < 0)
		return ecn;
	verdict = decapsulate(skb, &arrival, ecn);
	if (verdict)
		return verdict;
	/* What is not IP still has the outer packet's. */
	if (skb->protocol != arrival.inner.h_proto && !reread_protocol(skb))
		return -DROP_DECAP_FAILED;
	count_rx(&vtep_counters, sender->vtep, skb->len);
	count_event(EVENT_REMOTE_RECEIVED, skb->len);
	if (!to.ifindex)
		return flood_frame(skb, arrival.vni, 0);
	return deliver(skb, to.ifindex, to.slot, arrival.inner.h_proto);
}

SEC("tc")
int from_underlay(struct __sk_buff *skb)
{
	struct frame frame = { .hook = HOOK_FROM_UNDERLAY, .slot = NO_SLOT, .len = skb->len };

	return finish(skb, &frame, handle(skb, &frame));
}

char LICENSE[] SEC("license") __attribute__((weak)) = "Dual BSD/GPL";
