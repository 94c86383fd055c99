// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * tcx ingress of a container's host end, or transmission of its netkit (lib/transmit.h): everything the container
 * sends. Guards the source, answers ARP and neighbour discovery, and forwards by destination MAC. Nothing passes to the
 * host's stack but through plait0.
 */
#include "lib/deliver.h"
#include "lib/encap.h"
#include "lib/flood.h"
#include "lib/guard.h"
#include "lib/recent.h"
#include "lib/toobig.h"

/* Only IP: the host's stack has handlers for much else, from PPPoE to MPLS, that a container has no business with. */
static __always_inline int to_gateway(struct __sk_buff *skb, const struct endpoint *endpoint, __be16 proto)
{
	if (endpoint->flags & ENDPOINT_INTERNAL)
		return -DROP_INTERNAL;
	if (!is_ip(proto))
		return -DROP_NOT_IP;
	count_event(EVENT_GATEWAY, skb->len);
	return bpf_redirect(plait0_ifindex, BPF_F_INGRESS);
}

static __always_inline int to_local(struct __sk_buff *skb, const struct endpoint *endpoint,
				    const struct fdb_entry *entry, __be16 proto)
{
	if (!fits(skb, proto, endpoint->mtu))
		return refuse_too_big(skb, bpf_map_lookup_elem(&networks, &endpoint->vni), proto, endpoint->mtu);
	count_event(EVENT_LOCAL_DELIVERED, skb->len);
	return deliver(skb, entry->ifindex, entry->slot, proto);
}

/*
 * An IPv4 packet that routers may cut is not refused over IPv4: the slow path has the outer packet fragmented. Over
 * IPv6 the kernel's vxlan device discards it (up to Linux 6.18 at least), but senders heed the answer without DF too.
 */
static __always_inline bool may_fragment(struct __sk_buff *skb, const struct vtep *vtep, __be16 proto)
{
	struct iphdr *ip = (void *)(long)skb->data + sizeof(struct ethhdr);

	if (proto != bpf_htons(ETH_P_IP) || vtep->flags & VTEP_IPV6 || (void *)(ip + 1) > (void *)(long)skb->data_end)
		return false;
	return !skb->gso_size && !(ip->frag_off & bpf_htons(IP_DF));
}

static __always_inline int to_remote(struct __sk_buff *skb, const struct endpoint *endpoint, __u32 index, __be16 proto)
{
	struct vtep *vtep = bpf_map_lookup_elem(&vteps, &index);
	bool slow = !is_ip(proto);
	struct traffic *traffic;

	if (!vtep || !(vtep->flags & VTEP_VALID))
		return -DROP_NO_VTEP;
	if (!fits(skb, proto, vtep->mtu)) {
		slow = may_fragment(skb, vtep, proto);
		if (!slow)
			return refuse_too_big(skb, bpf_map_lookup_elem(&networks, &endpoint->vni), proto, vtep->mtu);
	}
	count_event(EVENT_REMOTE_SENT, skb->len);
	traffic = count_tx(&vtep_counters, index, skb->len);
	return slow ? send_slow(skb, endpoint->vni, vtep) : send_fast(skb, endpoint->vni, vtep, traffic);
}

static __always_inline int forward(struct __sk_buff *skb, const struct endpoint *endpoint, const struct ethhdr *eth)
{
	struct fdb_key key = { .vni = endpoint->vni };
	const struct fdb_entry *entry;

	if (mac_is_group(eth->h_dest))
		return flood_frame(skb, endpoint->vni, skb->ifindex);
	if (mac_equal(eth->h_dest, gateway_mac))
		return to_gateway(skb, endpoint, eth->h_proto);
	mac_copy(key.mac, eth->h_dest);
	entry = find_mac(&key);
	if (!entry)
		return flood_frame(skb, endpoint->vni, skb->ifindex);
	if (entry->ifindex)
		return to_local(skb, endpoint, entry, eth->h_proto);
	return to_remote(skb, endpoint, entry->slot, eth->h_proto);
}

static __always_inline int handle(struct __sk_buff *skb, struct frame *frame)
{
	__u32 ifindex = skb->ifindex;
	const struct endpoint *endpoint = find_endpoint(ifindex);
	struct ethhdr *data, eth;
	int verdict;

	if (!endpoint)
		return -DROP_UNKNOWN_ENDPOINT;
	frame->vni = endpoint->vni;
	frame->slot = endpoint->slot;
	if (skb->vlan_present || is_vlan(skb->protocol))
		return -DROP_VLAN;
	if (is_transmitting(skb) && !trust_protocol(skb))
		return -DROP_ENCAP_FAILED;
	data = (void *)(long)skb->data;
	if ((void *)(data + 1) > (void *)(long)skb->data_end)
		return -DROP_TRUNCATED;
	eth_copy(&eth, data);
	if (!mac_equal(eth.h_source, endpoint->mac))
		return -DROP_SPOOFED_MAC;
	verdict = guard(skb, endpoint, eth.h_proto);
	if (verdict < 0)
		return verdict;
	count_tx(&endpoint_counters, endpoint->slot, frame->len);
	return verdict == GO_ON ? forward(skb, endpoint, &eth) : verdict;
}

SEC("tc")
int from_container(struct __sk_buff *skb)
{
	struct frame frame = { .hook = HOOK_FROM_CONTAINER, .slot = NO_SLOT, .len = skb->len };

	return finish(skb, &frame, handle(skb, &frame));
}

char LICENSE[] SEC("license") __attribute__((weak)) = "Dual BSD/GPL";
