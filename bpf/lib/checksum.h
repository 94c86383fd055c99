/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Checksums of headers and messages that the programs write themselves. */
#ifndef PLAIT_CHECKSUM_H
#define PLAIT_CHECKSUM_H

#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

static __always_inline __sum16 fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__sum16)~sum;
}

/* Without options. 0 when it is taken over a good header. */
static __always_inline __sum16 ipv4_checksum(const struct iphdr *ip)
{
	const __u32 *word = (const __u32 *)ip;
	__u64 sum = (__u64)word[0] + word[1] + word[2] + word[3] + word[4];

	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + ((sum >> 16) & 0xffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__sum16)~sum;
}

/* What becomes of a checksum when one of its words changes (RFC 1624). */
static __always_inline __sum16 checksum_after(__sum16 check, __be16 before, __be16 now)
{
	return fold((__u32)(__u16)~check + (__u16)~before + now);
}

/* `len` in bytes, a multiple of 4; the message's checksum field is 0. */
static __always_inline __sum16 icmp_checksum(__be32 *message, __u32 len)
{
	return fold(bpf_csum_diff(NULL, 0, message, len, 0));
}

/* The same over the pseudo-header of RFC 8200 section 8.1. */
static __always_inline __sum16 icmpv6_checksum(struct ipv6hdr *ip6, __be32 *message, __u32 len)
{
	__be32 rest[2] = { bpf_htonl(len), bpf_htonl(IPPROTO_ICMPV6) };
	__u32 sum;

	sum = bpf_csum_diff(NULL, 0, (__be32 *)&ip6->saddr, sizeof(ip6->saddr) + sizeof(ip6->daddr), 0);
	sum = bpf_csum_diff(NULL, 0, rest, sizeof(rest), sum);
	return fold(bpf_csum_diff(NULL, 0, message, len, sum));
}

#endif
