// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A ring whose size is no multiple of its records' size, so that the second lap's records lie across those of the
 * first. Their bytes, read as a header, claim a record of 690 MB.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct record {
	__u8 bytes[40];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} records SEC(".maps");

/* Emits skb->mark records. */
SEC("tc")
int emit_records(struct __sk_buff *skb)
{
	for (__u32 i = 0; i < 64 && i < skb->mark; i++) {
		struct record *record = bpf_ringbuf_reserve(&records, sizeof(*record), 0);

		if (!record)
			return 1;
		__builtin_memset(record, 0x2b, sizeof(*record));
		bpf_ringbuf_submit(record, 0);
	}
	return 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";
