// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Programs of others on a hook: each counts what it sees and says one thing to all of it. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} seen SEC(".maps");

static __always_inline int say(int verdict)
{
	__u32 key = 0;
	__u64 *count = bpf_map_lookup_elem(&seen, &key);

	if (count)
		__sync_fetch_and_add(count, 1);
	return verdict;
}

SEC("tc")
int says_unspec(struct __sk_buff *skb)
{
	return say(TC_ACT_UNSPEC);
}

SEC("tc")
int says_pipe(struct __sk_buff *skb)
{
	return say(TC_ACT_PIPE);
}

SEC("tc")
int says_ok(struct __sk_buff *skb)
{
	return say(TC_ACT_OK);
}

SEC("tc")
int says_shot(struct __sk_buff *skb)
{
	return say(TC_ACT_SHOT);
}

SEC("tc")
int says_stolen(struct __sk_buff *skb)
{
	return say(TC_ACT_STOLEN);
}

SEC("tc")
int says_trap(struct __sk_buff *skb)
{
	return say(TC_ACT_TRAP);
}

char _license[] SEC("license") = "GPL";
