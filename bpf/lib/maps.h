/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Every map. The agent writes them unless a map says otherwise, the programs only look up; nothing is learned
 * from packets. A full map is therefore refused to the agent, who reports it, and never hurts what is in it.
 * Sizes are defaults, the loader may change them. Weak: see config.h.
 */
#ifndef PLAIT_MAPS_H
#define PLAIT_MAPS_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "types.h"

#define MAX_VTEPS 4096

/* Only bounds the loop, which ends with the array: more than all endpoints and VTEPs at any size of the maps. */
#define MAX_FLOOD_MEMBERS (1 << 20)

#define MAP SEC(".maps") __attribute__((weak))

/* ifindex of a host end → the container interface behind it. Full: attach fails. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct endpoint);
} endpoints MAP;

/* VNI and MAC → where it is. Full: that endpoint is unknown here, frames for it are flooded. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 262144);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct fdb_key);
	__type(value, struct fdb_entry);
} fdb MAP;

/* VNI and address → MAC, for ARP, neighbour discovery and the host. Full: requests are flooded instead. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 262144);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct neighbor_key);
	__type(value, struct neighbor);
} neighbors MAP;

/* VNI → a network that is live on this node. Full: the network cannot be used here. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct network);
} networks MAP;

/* Destination prefix → network, for from_host. Full: the host cannot reach that subnet. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct subnet_key);
	__type(value, struct subnet);
} subnets MAP;

/* Index → remote VTEP. Index 0 is never used; an entry without VTEP_VALID is free. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_VTEPS);
	__type(key, __u32);
	__type(value, struct vtep);
} vteps MAP;

/* VNI and outer source address → permission to send into that network. Full: that VTEP's frames are dropped. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct sender_key);
	__type(value, struct sender);
} senders MAP;

/*
 * The agent raises it after each write of endpoints, fdb or senders: what the programs remember of these is good for
 * one generation (recent.h). 0, and odd while a write is under way: nothing is remembered.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} generation MAP;

/* Powers of two. Some 40 KiB per CPU together. */
#define RECENT_ENDPOINTS 256
#define RECENT_MACS 512
#define RECENT_SENDERS 256

/* The rows that a CPU found last. Private to the programs. */
struct recent_endpoint {
	__u64 generation;
	__u32 ifindex;
	struct endpoint endpoint;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, RECENT_ENDPOINTS);
	__type(key, __u32);
	__type(value, struct recent_endpoint);
} recent_endpoints MAP;

struct recent_mac {
	__u64 generation;
	struct fdb_key key;
	struct fdb_entry entry;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, RECENT_MACS);
	__type(key, __u32);
	__type(value, struct recent_mac);
} recent_macs MAP;

struct recent_sender {
	__u64 generation;
	struct sender_key key;
	struct sender sender;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, RECENT_SENDERS);
	__type(key, __u32);
	__type(value, struct recent_sender);
} recent_senders MAP;

/*
 * A flood list: places for members, some of them empty (zero). Who joins or leaves is written in place, and the others
 * keep theirs, so a frame that is being flooded neither misses nor doubles them. Replacing the array makes the agent
 * wait for an RCU grace period (8-15 ms), so the capacity is a power of two and changes only by factors.
 *
 * Sizes, not types: up to Linux 6.1 at least an array that is made without BTF is refused (EINVAL) as the inner one of
 * a map that was declared with it. The values are struct flood_member.
 */
struct flood_list {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_INNER_MAP);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct flood_member));
};

/* VNI → its flood list. Full: broadcast on that network goes nowhere (DROP_NO_MEMBERS). */
struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__array(values, struct flood_list);
} flood MAP;

/* 0 → the device that XDP runs on. All zero, as it comes, is no device's MAC: everything passes. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct underlay_device);
} underlay_device MAP;

/* Slot of a local endpoint → its traffic. Written by the programs; the agent zeroes a slot before it is used again. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct traffic);
} endpoint_counters MAP;

/* Index of a VTEP → traffic with it. Written by the programs. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MAX_VTEPS);
	__type(key, __u32);
	__type(value, struct traffic);
} vtep_counters MAP;

/* Drops by reason. Written by the programs. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DROP_REASONS);
	__type(key, enum drop_reason);
	__type(value, struct counter);
} drops MAP;

/* Other things worth counting. Written by the programs. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, EVENTS);
	__type(key, enum event);
	__type(value, struct counter);
} events MAP;

/* How many samples a reason has used in the running second. Private to the programs. */
struct sample_budget {
	__u64 second;
	__u64 used;
	__u64 tick; /* jiffies when the clock was last asked */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DROP_REASONS);
	__type(key, __u32);
	__type(value, struct sample_budget);
} sample_budgets MAP;

/* Samples of dropped packets (struct drop_event). Full: the sample is lost, the count in `drops` is not. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} drop_events MAP;

#endif
