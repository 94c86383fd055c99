/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* IPv6 extension headers: what a packet carries behind all of them (RFC 8200 section 4). */
#ifndef PLAIT_EXTENSIONS_H
#define PLAIT_EXTENSIONS_H

#include <stdbool.h>

#include <linux/in.h>
#include <linux/ipv6.h>

#include "ethernet.h"
#include "verdict.h"

#define MAX_EXTENSIONS 6
#define FRAGMENT_OFFSET 0xfff8

/* All of them begin like this; RFC 8200 section 4, and RFC 4302 for the authentication header. */
struct extension {
	__u8 next;
	__u8 len;
	__be16 fragment;
};

/* A walk along the chain: where it stands, and what stands there. */
struct chain {
	__u32 offset; /* from the Ethernet header */
	__u32 end;    /* of the IPv6 packet as its header says: bytes behind it are not seen by the receiver */
	__u8 next;
	bool fragmented;
	bool headless; /* a later fragment: what is at `offset` is not the beginning of `next` */
};

static __always_inline bool is_extension(__u8 next)
{
	return next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_FRAGMENT ||
	       next == IPPROTO_DSTOPTS || next == IPPROTO_AH;
}

static __always_inline __u32 extension_len(__u8 type, const struct extension *extension)
{
	if (type == IPPROTO_FRAGMENT)
		return 8;
	if (type == IPPROTO_AH)
		return (extension->len + 2) * 4;
	return (extension->len + 1) * 8;
}

static __always_inline void start_chain(struct chain *chain, const struct ipv6hdr *ip6)
{
	chain->offset = sizeof(struct ethhdr) + sizeof(*ip6);
	/* 0: a jumbogram (RFC 2675), which cannot be fragmented */
	chain->end = ip6->payload_len ? chain->offset + bpf_ntohs(ip6->payload_len) : ~0u;
	chain->next = ip6->nexthdr;
	chain->fragmented = false;
	chain->headless = false;
}

/*
 * Follows the chain to its end. A first fragment without the whole chain is TRUNCATED (RFC 7112): the rest would come
 * in a later fragment, unseen. Not inline, which spares the verifier a quarter of its way through from_container.
 */
static __noinline int follow_chain(struct __sk_buff *skb, struct chain *chain)
{
	struct extension extension;

	for (int i = 0; i <= MAX_EXTENSIONS; i++) {
		if (!is_extension(chain->next))
			return chain->fragmented && chain->offset >= chain->end ? -DROP_TRUNCATED : GO_ON;
		if (chain->offset + sizeof(extension) > chain->end ||
		    bpf_skb_load_bytes(skb, chain->offset, &extension, sizeof(extension)))
			return -DROP_TRUNCATED;
		if (chain->next == IPPROTO_FRAGMENT) {
			chain->fragmented = true;
			chain->headless = extension.fragment & bpf_htons(FRAGMENT_OFFSET);
		}
		chain->offset += extension_len(chain->next, &extension);
		chain->next = extension.next;
		if (chain->headless)
			return GO_ON;
	}
	return -DROP_FORBIDDEN_ND;
}

#endif
