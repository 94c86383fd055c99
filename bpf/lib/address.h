/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* struct addr: one form for both families. */
#ifndef PLAIT_ADDRESS_H
#define PLAIT_ADDRESS_H

#include <stdbool.h>

#include <linux/bpf.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "types.h"

static __always_inline void addr_from4(struct addr *addr, __be32 ip4)
{
	addr->w[0] = 0;
	addr->w[1] = 0;
	addr->w[2] = bpf_htonl(0xffff);
	addr->w[3] = ip4;
}

static __always_inline void addr_copy(void *to, const void *from)
{
	__be32 *x = to;
	const __be32 *y = from;

	x[0] = y[0];
	x[1] = y[1];
	x[2] = y[2];
	x[3] = y[3];
}

static __always_inline bool addr_equal(const void *a, const void *b)
{
	const __be32 *x = a, *y = b;

	return !((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]));
}

static __always_inline bool addr_is_zero(const void *a)
{
	const __be32 *x = a;

	return !(x[0] | x[1] | x[2] | x[3]);
}

/* Multicast, and the broadcast address that every host knows. */
static __always_inline bool is_group4(__be32 ip4)
{
	return (ip4 & bpf_htonl(0xf0000000)) == bpf_htonl(0xe0000000) || ip4 == bpf_htonl(0xffffffff);
}

static __always_inline bool is_group6(const void *addr)
{
	return *(const __u8 *)addr == 0xff;
}

#endif
