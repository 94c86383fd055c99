/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Options, written by the loader before the programs are verified. They are constants to the verifier, so that
 * what an option switches off costs nothing. Weak, because every object file carries them and the linker keeps one.
 */
#ifndef PLAIT_CONFIG_H
#define PLAIT_CONFIG_H

#include <stdbool.h>

#include "types.h"

#ifndef UNKNOWN_OPTIONS
#define OPTION const volatile __attribute__((weak))
#else /* `make verify` counts what the verifier sees at most */
#define OPTION volatile __attribute__((weak))
#endif

/* UDP port of VXLAN, host byte order. */
OPTION __u16 vxlan_port = 4789;

/* This node's underlay addresses: only what is sent to them is ours. 0: none of that family. */
OPTION __be32 vtep_addr4 = 0;
OPTION struct addr vtep_addr6 = {};

/* The host's own interface into the overlays; frames for the gateway are received there. */
OPTION __u32 plait0_ifindex = 0;

/* The collect-metadata vxlan device: the slow path. */
OPTION __u32 vxlan_ifindex = 0;

/* Identifies the object file, so that a restarted agent knows whether the pinned programs are still its own. */
OPTION __u64 build_id = 0;

/* How many dropped packets each CPU shows in drop_events per second and reason. */
OPTION __u32 drop_samples_per_second = 10;

/* The kernel has BPF_F_ADJ_ROOM_DECAP_L3_* (since Linux 6.3): skb->protocol can follow the inner packet. */
OPTION bool decap_l3_flags = false;

/* Enums and structs that no map mentions but user space needs: this carries them into the object's BTF. */
struct {
	enum endpoint_flags endpoint_flags;
	enum vtep_flags vtep_flags;
	enum hook hook;
	struct drop_event drop_event[0];
	struct flood_member flood_member[0];
} abi __attribute__((weak, section(".types")));

#endif
