// SPDX-License-Identifier: Apache-2.0
// What libbpf has no words for: whether any filter stands on a device's clsact qdisc. Asked by rtnetlink
// (RTM_GETTFILTER) in the calling thread's network namespace.
#include "qdisc.h"

#include <bpf/libbpf.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>

#include "fd.h"

namespace {

constexpr uint32_t kHooks[] = {TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS),
                               TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS)};

struct Request {
  nlmsghdr header;
  tcmsg body;
};

// A dump of one hook is short when it is empty: a message that ends it. Everything else, errors too, means
// that there may be filters.
bool IsEmpty(int socket, uint32_t ifindex, uint32_t parent) {
  Request request{};
  request.header.nlmsg_len = sizeof(request);
  request.header.nlmsg_type = RTM_GETTFILTER;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.header.nlmsg_seq = parent;
  request.body.tcm_family = AF_UNSPEC;
  request.body.tcm_ifindex = static_cast<int>(ifindex);
  request.body.tcm_parent = parent;
  if (send(socket, &request, sizeof(request), 0) < 0) return false;
  alignas(nlmsghdr) char answer[8192];
  const ssize_t length = recv(socket, answer, sizeof(answer), 0);
  const auto* first = reinterpret_cast<const nlmsghdr*>(answer);
  return length >= static_cast<ssize_t>(sizeof(*first)) && first->nlmsg_type == NLMSG_DONE;
}

bool HasNoFilters(uint32_t ifindex) {
  for (const uint32_t parent : kHooks) {
    // A socket for each: what is left of a longer answer is not read as the next one's.
    const Fd netlink(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    if (!netlink.valid() || !IsEmpty(netlink.get(), ifindex, parent)) return false;
  }
  return true;
}

}  // namespace

void RemoveUnusedClsact(uint32_t ifindex) {
  if (!HasNoFilters(ifindex)) return;
  bpf_tc_hook hook{};
  hook.sz = sizeof(hook);
  hook.ifindex = static_cast<int>(ifindex);
  hook.attach_point = static_cast<bpf_tc_attach_point>(BPF_TC_INGRESS | BPF_TC_EGRESS);
  bpf_tc_hook_destroy(&hook);
}
