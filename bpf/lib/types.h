/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Types shared by every program and, through the object's BTF, by user space: src/datapath/types.gen.ts is
 * generated from them. Fixed widths, explicit padding, and all padding is zero in keys (a hash key is compared
 * byte by byte). __be16 and __be32 are in network byte order, everything else in the host's.
 */
#ifndef PLAIT_TYPES_H
#define PLAIT_TYPES_H

#include <linux/types.h>

#define ETH_ALEN 6

/* An IPv6 address, or an IPv4 one as ::ffff:a.b.c.d. One form, so that one map serves both. */
struct addr {
	__be32 w[4];
};

struct fdb_key {
	__u32 vni;
	__u8 mac[ETH_ALEN];
	__u16 pad;
};

/* Where a MAC is: a container here (ifindex is the host end of its veth) or a VTEP (ifindex is 0). */
struct fdb_entry {
	__u32 ifindex;
	__u32 slot; /* local: slot in endpoint_counters; remote: index in vteps */
};

struct neighbor_key {
	__u32 vni;
	struct addr addr;
};

struct neighbor {
	__u8 mac[ETH_ALEN];
	__u16 pad;
};

enum endpoint_flags {
	ENDPOINT_INTERNAL = 1,  /* the network has no way out: frames for the gateway are dropped */
	ENDPOINT_TAKES_XDP = 2, /* the container's end takes frames without an skb: a veth with NAPI */
};

/* A local container interface, by the ifindex of its host end: what it may send, and where its counters are. */
struct endpoint {
	__u32 vni;
	__u32 slot;  /* in endpoint_counters */
	__u32 flags; /* enum endpoint_flags */
	__u16 mtu;   /* IP MTU of the network, bytes */
	__u8 mac[ETH_ALEN];
	__be32 ip4;             /* 0: none */
	struct addr ip6;        /* all zero: none */
	struct addr link_local; /* fe80::/64 by EUI-64 of mac; all zero: none */
};

/* A network that is live on this node, by VNI. */
struct network {
	__u32 flags;          /* enum endpoint_flags, for the whole network */
	__u32 mtu;            /* IP MTU inside, bytes */
	struct addr gateway4; /* v4-mapped; all zero: none */
	struct addr gateway6;
};

/* Which network an address belongs to, for frames from the host; v4 prefixes are 96 bits longer. */
struct subnet_key {
	__u32 prefix_len;
	struct addr addr;
};

struct subnet {
	__u32 vni;
};

enum vtep_flags {
	VTEP_VALID = 1,
	VTEP_IPV6 = 2, /* the underlay to this VTEP is IPv6 */
};

/*
 * A remote VTEP, by a small index (0 is never used). The next hop comes from the kernel's routing table and is
 * rewritten when that changes; the neighbour behind it is the kernel's own business (bpf_redirect_neigh).
 */
struct vtep {
	__u32 flags;   /* enum vtep_flags */
	__u32 ifindex; /* underlay device */
	__u32 mtu;     /* biggest inner IP packet that fits the path, bytes */
	__u32 pad;
	struct addr remote;
	struct addr local;
	struct addr next_hop; /* remote itself when it is on the link */
};

/* Which VTEPs may send into a VNI; the value is the VTEP's index. */
struct sender_key {
	__u32 vni;
	struct addr addr;
};

struct sender {
	__u32 vtep;
};

/*
 * A place in a VNI's flood list: a local endpoint (ifindex), a VTEP (ifindex is 0), or nobody (all zero: there is no
 * VTEP 0). Places are written while frames are flooded, so one is a single aligned load.
 */
struct flood_member {
	__u32 ifindex;
	__u32 slot; /* as in struct fdb_entry */
};

_Static_assert(sizeof(struct flood_member) == sizeof(__u64), "a flood list's place is one load");

/* The device that the XDP program runs on: a frame for another MAC is somebody else's. */
struct underlay_device {
	__u8 mac[ETH_ALEN];
	__u16 pad;
};

/* Seen from the container (endpoint_counters) or from this node (vtep_counters): tx leaves it. */
struct traffic {
	__u64 rx_packets;
	__u64 rx_bytes; /* inner frames, Ethernet header included */
	__u64 tx_packets;
	__u64 tx_bytes;
	__u64 drops;    /* frames that it sent and that were dropped */
	__u64 outer_id; /* vtep_counters: from which the next outer IP-ID is made; 0: none was sent yet */
};

struct counter {
	__u64 packets;
	__u64 bytes;
};

/*
 * Why a frame was dropped. Helpers return these negated. The order is ABI for pinned maps and dashboards:
 * append only.
 */
enum drop_reason {
	DROP_NONE = 0,
	DROP_TRUNCATED,        /* a header runs past the end of the packet */
	DROP_UNKNOWN_ENDPOINT, /* a frame from a host end that no endpoint owns */
	DROP_SPOOFED_MAC,      /* source MAC is not the endpoint's */
	DROP_SPOOFED_IP,       /* source address is not the endpoint's */
	DROP_SPOOFED_ARP,      /* ARP/ND speaks for somebody else */
	DROP_FORBIDDEN_ND,     /* router advertisement, redirect or irregular ND from a container */
	DROP_VLAN,             /* an inner VLAN tag (RFC 7348 section 6.1) */
	DROP_INTERNAL,         /* a way out was asked for on an internal network */
	DROP_TOO_BIG,          /* did not fit and could not be answered */
	DROP_TOO_BIG_ANSWERED, /* did not fit; the sender was told */
	DROP_BAD_VXLAN,        /* I flag missing, lengths or the header checksum wrong */
	DROP_UNKNOWN_VNI,      /* no such network is live on this node */
	DROP_UNLISTED_SENDER,  /* the outer source is not a VTEP of that VNI */
	DROP_UNKNOWN_MAC,      /* from another node or the host, for a MAC that is not here */
	DROP_NO_VTEP,          /* FDB names a VTEP that has no route */
	DROP_ENCAP_FAILED,     /* a kernel helper refused to encapsulate */
	DROP_DECAP_FAILED,     /* a kernel helper refused to decapsulate */
	DROP_ECN,              /* outer CE on an inner packet that is not ECN-capable (RFC 6040 section 4.2) */
	DROP_HOST_UNROUTED,    /* from the host to an address of no live network, or not IP */
	DROP_HOST_REMOTE,      /* from the host to an endpoint on another node */
	DROP_NO_MEMBERS,       /* flooded on a network whose list is empty */
	DROP_NOT_IP,           /* for the gateway, but not IP */
	DROP_REASONS,
};

/* Things worth counting that are not drops. Append only. */
enum event {
	EVENT_LOCAL_DELIVERED = 0, /* container to container on this node */
	EVENT_REMOTE_SENT,         /* unicast to another node, on either path */
	EVENT_REMOTE_RECEIVED,     /* decapsulated by from_underlay or underlay_deliver */
	EVENT_GATEWAY,             /* handed to the host stack through plait0 */
	EVENT_FROM_HOST,
	EVENT_ARP_ANSWERED,
	EVENT_ND_ANSWERED,
	EVENT_FLOODED,        /* frames flooded; copies are counted by their receivers */
	EVENT_SLOW_SENT,      /* encapsulated by the kernel's vxlan device */
	EVENT_SLOW_RECEIVED,  /* decapsulated by it */
	EVENT_HOST_MULTICAST, /* the host's own multicast and broadcast, which goes nowhere */
	EVENT_FILTERED,       /* of the drops, those by XDP on the underlay, before there was an skb */
	EVENT_XDP_DELIVERED,  /* of EVENT_REMOTE_RECEIVED, those that went into the container by XDP */
	EVENTS,
};

enum hook {
	HOOK_FROM_CONTAINER = 0,
	HOOK_FROM_UNDERLAY,
	HOOK_FROM_HOST,
	HOOK_FROM_VXLAN,
	HOOK_UNDERLAY_FILTER,
	HOOK_UNDERLAY_DELIVER,
};

#define DROP_SAMPLE_LEN 96

/* A sampled drop, in the ring buffer drop_events. */
struct drop_event {
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u32 reason;  /* enum drop_reason */
	__u32 hook;    /* enum hook */
	__u32 ifindex;
	__u32 vni;      /* 0: not known yet */
	__u32 len;      /* bytes of the whole packet */
	__u32 captured; /* valid bytes in head */
	__u8 head[DROP_SAMPLE_LEN];
};

#endif
