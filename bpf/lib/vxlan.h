/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The VXLAN header (RFC 7348 section 5) and what stands around it. */
#ifndef PLAIT_VXLAN_H
#define PLAIT_VXLAN_H

#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/types.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>

#define VXLAN_HAS_VNI bpf_htonl(0x08000000) /* the I flag; the others are ignored on receipt */

struct vxlanhdr {
	__be32 flags;
	__be32 vni; /* upper 24 bits; the lower 8 are ignored on receipt */
};

/* Everything between the outer Ethernet header and the inner one's payload: 50 and 70 bytes. */
#define OVERHEAD(outer_ip) (sizeof(outer_ip) + sizeof(struct udphdr) + sizeof(struct vxlanhdr) + sizeof(struct ethhdr))
#define OVERHEAD4 OVERHEAD(struct iphdr)
#define OVERHEAD6 OVERHEAD(struct ipv6hdr)

_Static_assert(OVERHEAD4 == 50, "VXLAN over IPv4");
_Static_assert(OVERHEAD6 == 70, "VXLAN over IPv6");

/* Source ports, for the entropy of a flow (RFC 7348 section 5: the dynamic range). */
#define MIN_SOURCE_PORT 49152
#define SOURCE_PORTS 16384

#define DEFAULT_TTL 64

#endif
