// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * tcx ingress of plait0p, the far end of the host's own interface: what the host sends or routes into an overlay.
 * The destination address says which network is meant, the neighbour map says which MAC. Only containers of this
 * node are reached: a remote one would answer to its own node's gateway. What is for many is for nobody here: the
 * host is no member of the networks, and the kernel sends reports and solicitations of its own as soon as an
 * interface has an address.
 */
#include "lib/address.h"
#include "lib/deliver.h"
#include "lib/recent.h"
#include "lib/toobig.h"

/* The MAC alone does not tell: without ARP the kernel writes the device's own for 255.255.255.255. */
static __always_inline bool is_for_many(struct __sk_buff *skb, __be16 proto)
{
	struct ethhdr *eth = (void *)(long)skb->data;
	void *l3 = eth + 1, *end = (void *)(long)skb->data_end;

	if (l3 <= end && mac_is_group(eth->h_dest))
		return true;
	if (proto == bpf_htons(ETH_P_IP) && l3 + sizeof(struct iphdr) <= end)
		return is_group4(((struct iphdr *)l3)->daddr);
	if (proto == bpf_htons(ETH_P_IPV6) && l3 + sizeof(struct ipv6hdr) <= end)
		return is_group6(&((struct ipv6hdr *)l3)->daddr);
	return false;
}

static __always_inline int read_destination(struct __sk_buff *skb, __be16 proto, struct addr *to)
{
	void *l3 = (void *)(long)skb->data + sizeof(struct ethhdr);
	void *end = (void *)(long)skb->data_end;

	if (proto == bpf_htons(ETH_P_IP) && l3 + sizeof(struct iphdr) <= end) {
		addr_from4(to, ((struct iphdr *)l3)->daddr);
		return GO_ON;
	}
	if (proto == bpf_htons(ETH_P_IPV6) && l3 + sizeof(struct ipv6hdr) <= end) {
		addr_copy(to->w, &((struct ipv6hdr *)l3)->daddr);
		return GO_ON;
	}
	return is_ip(proto) ? -DROP_TRUNCATED : -DROP_HOST_UNROUTED;
}

/* Finds the endpoint that holds the address. */
static __always_inline int resolve(const struct addr *to, struct fdb_key *key, struct fdb_entry *entry)
{
	struct subnet_key prefix = { .prefix_len = 128 };
	struct neighbor_key neighbor_key = {};
	struct neighbor *neighbor;
	struct subnet *subnet;
	const struct fdb_entry *found;

	addr_copy(prefix.addr.w, to->w);
	subnet = bpf_map_lookup_elem(&subnets, &prefix);
	if (!subnet)
		return -DROP_HOST_UNROUTED;
	neighbor_key.vni = subnet->vni;
	addr_copy(neighbor_key.addr.w, to->w);
	neighbor = bpf_map_lookup_elem(&neighbors, &neighbor_key);
	if (!neighbor)
		return -DROP_HOST_UNROUTED;
	key->vni = subnet->vni;
	mac_copy(key->mac, neighbor->mac);
	found = find_mac(key);
	if (!found)
		return -DROP_UNKNOWN_MAC;
	if (!found->ifindex)
		return -DROP_HOST_REMOTE;
	*entry = *found;
	return GO_ON;
}

static __always_inline int handle(struct __sk_buff *skb, struct frame *frame)
{
	struct fdb_entry entry = {};
	struct fdb_key key = {};
	struct network *network;
	struct ethhdr *eth;
	struct addr to;
	__be16 proto = skb->protocol;
	int err;

	if (skb->vlan_present || is_vlan(proto))
		return -DROP_VLAN;
	if (!pull(skb, sizeof(*eth) + (proto == bpf_htons(ETH_P_IPV6) ? sizeof(struct ipv6hdr) : sizeof(struct iphdr))))
		return -DROP_TRUNCATED;
	if (is_for_many(skb, proto)) {
		count_event(EVENT_HOST_MULTICAST, skb->len);
		return DONE;
	}
	err = read_destination(skb, proto, &to);
	if (err)
		return err;
	err = resolve(&to, &key, &entry);
	if (err)
		return err;
	frame->vni = key.vni;
	network = bpf_map_lookup_elem(&networks, &key.vni);
	if (!network)
		return -DROP_UNKNOWN_VNI;
	if (!fits(skb, proto, network->mtu))
		return refuse_too_big(skb, NULL, proto, network->mtu);
	eth = (void *)(long)skb->data;
	if ((void *)(eth + 1) > (void *)(long)skb->data_end)
		return -DROP_TRUNCATED;
	mac_copy(eth->h_dest, key.mac);
	mac_copy(eth->h_source, gateway_mac);
	count_event(EVENT_FROM_HOST, skb->len);
	return deliver(skb, entry.ifindex, entry.slot, proto);
}

SEC("tc")
int from_host(struct __sk_buff *skb)
{
	struct frame frame = { .hook = HOOK_FROM_HOST, .slot = NO_SLOT, .len = skb->len };

	return finish(skb, &frame, handle(skb, &frame));
}

char LICENSE[] SEC("license") __attribute__((weak)) = "Dual BSD/GPL";
