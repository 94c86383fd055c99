// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Names inside Docker's containers. They ask 127.0.0.11:53, which Docker has rewritten to its own resolver there. Where
 * the agent listens in the same network namespace, at 127.0.0.11:61053, it is asked instead; it hands on to
 * Docker's what it does not know, from 127.0.0.12. The questions of connected sockets and of single datagrams are
 * turned when they are sent, and what the socket is told of its peer is turned back.
 *
 * Attached to the root of the cgroup tree by a link that nobody pins, and it asks for the listener each time: without
 * an agent, and in all other namespaces, nothing is changed.
 */
#include <linux/bpf.h>
#include <linux/in.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define RESOLVER bpf_htonl(0x7f00000b)  /* 127.0.0.11 */
#define FORWARDER bpf_htonl(0x7f00000c) /* 127.0.0.12 */
#define DOCKER_PORT bpf_htons(53)
#define AGENT_PORT bpf_htons(61053)

#define GO_ON 1

static __always_inline int is_served(struct bpf_sock_addr *ctx)
{
	struct bpf_sock_tuple to = {};
	struct bpf_sock *listener;
	__u32 address;

	to.ipv4.daddr = RESOLVER;
	to.ipv4.dport = AGENT_PORT;
	to.ipv4.saddr = RESOLVER;
	if (ctx->protocol == IPPROTO_TCP)
		listener = bpf_sk_lookup_tcp(ctx, &to, sizeof(to.ipv4), BPF_F_CURRENT_NETNS, 0);
	else
		listener = bpf_sk_lookup_udp(ctx, &to, sizeof(to.ipv4), BPF_F_CURRENT_NETNS, 0);
	if (!listener)
		return 0;
	address = listener->src_ip4; /* one that listens at any address is somebody else's */
	bpf_sk_release(listener);
	return address == RESOLVER;
}

static __always_inline int turn(struct bpf_sock_addr *ctx)
{
	struct bpf_sock *sk = ctx->sk;

	if (ctx->user_ip4 != RESOLVER || ctx->user_port != DOCKER_PORT)
		return GO_ON;
	if (sk && sk->src_ip4 == FORWARDER)
		return GO_ON;
	if (is_served(ctx))
		ctx->user_port = AGENT_PORT;
	return GO_ON;
}

static __always_inline int turn_back(struct bpf_sock_addr *ctx)
{
	if (ctx->user_ip4 == RESOLVER && ctx->user_port == AGENT_PORT)
		ctx->user_port = DOCKER_PORT;
	return GO_ON;
}

SEC("cgroup/connect4")
int names_connect(struct bpf_sock_addr *ctx)
{
	return turn(ctx);
}

SEC("cgroup/sendmsg4")
int names_send(struct bpf_sock_addr *ctx)
{
	return turn(ctx);
}

SEC("cgroup/recvmsg4")
int names_receive(struct bpf_sock_addr *ctx)
{
	return turn_back(ctx);
}

SEC("cgroup/getpeername4")
int names_peer(struct bpf_sock_addr *ctx)
{
	return turn_back(ctx);
}

char LICENSE[] SEC("license") __attribute__((weak)) = "Dual BSD/GPL";
