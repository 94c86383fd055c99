// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * For `npm run bench:xdp`: what makes the packets (run on live frames, it sends each out of a device), and the two
 * programs beside which underlay_filter is measured. No part of the datapath.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

/* The device that they leave by. */
const volatile __u32 out_ifindex = 0;

SEC("xdp")
int generate(struct xdp_md *ctx __attribute__((unused)))
{
	return bpf_redirect(out_ifindex, 0);
}

/* Nobody drops faster than this. */
SEC("xdp.frags")
int drop_all(struct xdp_md *ctx __attribute__((unused)))
{
	return XDP_DROP;
}

/* With an XDP program a veth has NAPI although its GRO is off. */
SEC("xdp.frags")
int pass_all(struct xdp_md *ctx __attribute__((unused)))
{
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
