/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Per-CPU counters. A GSO packet counts as one packet with all its bytes, as the kernel's own devices count. */
#ifndef PLAIT_COUNTERS_H
#define PLAIT_COUNTERS_H

#include "maps.h"

static __always_inline void count_event(enum event event, __u64 bytes)
{
	struct counter *counter = bpf_map_lookup_elem(&events, &event);

	if (!counter)
		return;
	counter->packets++;
	counter->bytes += bytes;
}

/* `counters` is endpoint_counters or vtep_counters. Returns what it counted in, or NULL. */
static __always_inline struct traffic *count_tx(void *counters, __u32 slot, __u64 bytes)
{
	struct traffic *traffic = bpf_map_lookup_elem(counters, &slot);

	if (!traffic)
		return NULL;
	traffic->tx_packets++;
	traffic->tx_bytes += bytes;
	return traffic;
}

static __always_inline void count_rx(void *counters, __u32 slot, __u64 bytes)
{
	struct traffic *traffic = bpf_map_lookup_elem(counters, &slot);

	if (!traffic)
		return;
	traffic->rx_packets++;
	traffic->rx_bytes += bytes;
}

#endif
