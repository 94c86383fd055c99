// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* One map of each kind, constants of each kind, and small programs that touch them. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

enum color {
	COLOR_RED = 0,
	COLOR_GREEN,
	COLOR_BLUE,
	COLORS,
};

enum permission {
	PERMISSION_READ = 1,
	PERMISSION_WRITE = 4,
};

struct address {
	__be32 w[4];
};

struct flow_key {
	__u32 id;
	__u8 mac[6];
	__u16 pad;
	struct address source_address;
	__be16 port;
	__u16 pad2;
};

struct flow {
	__u64 rx_packets;
	__s32 balance;
	__be32 ip4;
	char label[16];
	bool is_open;
	__u8 pad[3];
	enum color color;
};

struct prefix_key {
	__u32 prefix_len;
	__be32 address;
};

struct record {
	__u64 sequence;
	__u32 len;
	__u32 flags; /* enum permission */
	__u8 head[8];
};

SEC(".types") struct record record_type;
SEC(".types") enum permission permission_type;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct flow_key);
	__type(value, struct flow);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COLORS);
	__type(key, __u32); /* enum color */
	__type(value, __u64);
} color_counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 64);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct prefix_key);
	__type(value, __u32);
} prefixes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, 8);
	__type(key, __u32);
	__array(
		values, struct {
			__uint(type, BPF_MAP_TYPE_ARRAY);
			__uint(max_entries, 1);
			__uint(map_flags, BPF_F_INNER_MAP);
			__type(key, __u32);
			__type(value, __u64);
		});
} groups SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} records SEC(".maps");

const volatile __u16 port = 4789;
const volatile __be32 address4;
const volatile struct address address6;
const volatile __u64 build_id;
const volatile bool verbose;
const volatile __u8 mac[6];

SEC("tc")
int count_green(struct __sk_buff *skb)
{
	__u32 key = COLOR_GREEN;
	__u64 *count = bpf_map_lookup_elem(&color_counts, &key);

	if (count)
		*count += 1;
	return TC_ACT_UNSPEC;
}

SEC("tc")
int count_blue(struct __sk_buff *skb)
{
	__u32 key = COLOR_BLUE;
	__u64 *count = bpf_map_lookup_elem(&color_counts, &key);

	if (count)
		*count += 1;
	return TC_ACT_UNSPEC;
}

/* Writes the constants over the packet, so that a test sees what the kernel loaded. */
SEC("tc")
int show_constants(struct __sk_buff *skb)
{
	struct address six = address6;
	__be32 four = address4;
	__u64 build = build_id;
	__u16 number = port;
	__u8 flag = verbose;

	bpf_skb_store_bytes(skb, 0, &number, sizeof(number), 0);
	bpf_skb_store_bytes(skb, 2, &four, sizeof(four), 0);
	bpf_skb_store_bytes(skb, 6, &build, sizeof(build), 0);
	bpf_skb_store_bytes(skb, 14, &six, sizeof(six), 0);
	bpf_skb_store_bytes(skb, 30, &flag, sizeof(flag), 0);
	bpf_skb_store_bytes(skb, 31, (const void *)mac, sizeof(mac), 0);
	return TC_ACT_OK;
}

/* Emits skb->mark records of the packet's first bytes. */
SEC("tc")
int emit_records(struct __sk_buff *skb)
{
	for (__u32 i = 0; i < 64 && i < skb->mark; i++) {
		struct record *record = bpf_ringbuf_reserve(&records, sizeof(*record), 0);

		if (!record)
			return TC_ACT_SHOT;
		record->sequence = i;
		record->len = skb->len;
		record->flags = PERMISSION_WRITE;
		bpf_skb_load_bytes(skb, 0, record->head, sizeof(record->head));
		bpf_ringbuf_submit(record, 0);
	}
	skb->mark += 100;
	return TC_ACT_OK;
}

SEC("tc")
int find_prefix(struct __sk_buff *skb)
{
	struct prefix_key key = { .prefix_len = 32 };
	__u32 *found;

	bpf_skb_load_bytes(skb, 30, &key.address, sizeof(key.address));
	found = bpf_map_lookup_elem(&prefixes, &key);
	return found ? *found : TC_ACT_SHOT;
}

/* The first element of the group that skb->mark names. */
SEC("tc")
int first_of_group(struct __sk_buff *skb)
{
	__u32 group = skb->mark, zero = 0;
	void *inner = bpf_map_lookup_elem(&groups, &group);
	__u64 *first;

	if (!inner)
		return 0;
	first = bpf_map_lookup_elem(inner, &zero);
	return first ? (int)*first : 0;
}

SEC("xdp")
int pass_xdp(struct xdp_md *ctx)
{
	__u32 key = COLOR_RED;
	__u64 *count = bpf_map_lookup_elem(&color_counts, &key);

	if (count)
		*count += 1;
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
