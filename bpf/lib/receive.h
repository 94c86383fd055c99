/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Lookups for frames from other nodes, the same on the fast and the slow path. */
#ifndef PLAIT_RECEIVE_H
#define PLAIT_RECEIVE_H

#include "ethernet.h"
#include "maps.h"
#include "recent.h"
#include "verdict.h"

/* Why there is no such sender. */
static __always_inline int refuse_sender(__u32 vni)
{
	return bpf_map_lookup_elem(&networks, &vni) ? -DROP_UNLISTED_SENDER : -DROP_UNKNOWN_VNI;
}

/*
 * `to` is a local endpoint, or stays zero for a frame to flood. A MAC that lives on a third node must have been
 * sent there: this node is no hop.
 */
static __always_inline int find_destination(__u32 vni, const __u8 *mac, struct fdb_entry *to)
{
	struct fdb_key key = { .vni = vni };
	const struct fdb_entry *entry;

	if (mac_is_group(mac))
		return GO_ON;
	mac_copy(key.mac, mac);
	entry = find_mac(&key);
	if (!entry)
		return GO_ON;
	if (!entry->ifindex)
		return -DROP_UNKNOWN_MAC;
	*to = *entry;
	return GO_ON;
}

#endif
