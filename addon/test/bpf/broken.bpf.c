// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Reads the packet without a look at its end, which the verifier refuses. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("tc")
int fine(struct __sk_buff *skb)
{
	return 0;
}

SEC("tc")
int reads_past_end(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data;

	return *(__u32 *)data;
}

char _license[] SEC("license") = "Dual BSD/GPL";
