// SPDX-License-Identifier: Apache-2.0
// bpf(2) itself, for what libbpf 1.1 and the headers of Linux 6.1 do not know: tcx (since Linux 6.6) and
// netkit (6.7). Delete when the floor is libbpf 1.3. Numbers and layouts are kernel ABI
// (include/uapi/linux/bpf.h).
#pragma once

#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace sys {

constexpr uint32_t kTcxIngress = 46;
constexpr uint32_t kTcxEgress = 47;
constexpr uint32_t kNetkitPrimary = 54;
constexpr uint32_t kNetkitPeer = 55;

constexpr uint32_t kLinkTypeTcx = 11;
constexpr uint32_t kLinkTypeNetkit = 13;

constexpr uint32_t kBefore = 1u << 3;
constexpr uint32_t kAfter = 1u << 4;
constexpr uint32_t kRelativeToLink = 1u << 13;

struct LinkCreate {
  uint32_t prog_fd;
  uint32_t target_ifindex;
  uint32_t attach_type;
  uint32_t flags;
  uint32_t relative_fd;
  uint32_t pad;
  uint64_t expected_revision;
};

struct ProgQuery {
  uint32_t target_ifindex;
  uint32_t attach_type;
  uint32_t query_flags;
  uint32_t attach_flags;
  uint64_t prog_ids;
  uint32_t count;
  uint32_t pad;
  uint64_t prog_attach_flags;
  uint64_t link_ids;
  uint64_t link_attach_flags;
  uint64_t revision;
};

// Head of struct bpf_link_info, with the union as tcx, netkit and xdp use it.
struct LinkInfo {
  uint32_t type;
  uint32_t id;
  uint32_t prog_id;
  uint32_t pad;
  uint32_t ifindex;
  uint32_t attach_type;
  uint8_t rest[64];
};

// Returns the call's result, or a negative errno.
template <typename Attr>
int Bpf(int command, Attr& attr) {
  const long result = syscall(__NR_bpf, command, &attr, sizeof(attr));
  return result < 0 ? -errno : static_cast<int>(result);
}

}  // namespace sys
