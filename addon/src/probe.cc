// SPDX-License-Identifier: Apache-2.0
// Feature probes: do the thing in a throw-away network namespace, on its lo (ifindex 1), and see. "No" is
// what an older kernel answers; anything else (EPERM, ENOMEM) is an error, so that a lack of rights is not
// taken for a lack of kernel.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cerrno>
#include <cstring>
#include <functional>

#include "addon.h"
#include "args.h"
#include "error.h"
#include "netns.h"
#include "sys_bpf.h"

namespace {

constexpr uint32_t kLoopback = 1;
constexpr uint64_t kDecapL3V4 = 1ull << 7;  // BPF_F_ADJ_ROOM_DECAP_L3_IPV4, since Linux 6.3

// result: 1 yes, 0 no
using Probe = std::function<Outcome(int& result)>;

bpf_insn Mov(uint8_t reg, int32_t value) {
  return {BPF_ALU64 | BPF_MOV | BPF_K, reg, 0, 0, value};
}
bpf_insn Call(int32_t helper) {
  return {BPF_JMP | BPF_CALL, 0, 0, 0, helper};
}
constexpr bpf_insn kExit = {BPF_JMP | BPF_EXIT, 0, 0, 0, 0};

Fd LoadProgram(bpf_prog_type type, const bpf_insn* instructions, size_t count) {
  return Fd(bpf_prog_load(type, "probe", "GPL", instructions, count, nullptr));
}

Outcome TryLink(uint32_t attach_type, bpf_prog_type program_type, int supported_error, int& result) {
  const bpf_insn instructions[] = {Mov(BPF_REG_0, program_type == BPF_PROG_TYPE_XDP ? 2 : 0), kExit};
  const Fd program = LoadProgram(program_type, instructions, 2);
  if (!program.valid()) return Outcome::Errno(errno);
  sys::LinkCreate attr{};
  attr.prog_fd = program.get();
  attr.target_ifindex = kLoopback;
  attr.attach_type = attach_type;
  const int fd = sys::Bpf(BPF_LINK_CREATE, attr);
  const Fd link(fd);
  if (fd == -EPERM || fd == -ENOMEM) return Outcome::Errno(fd);
  result = fd >= 0 || fd == -supported_error;
  return {};
}

Outcome ProbeTcx(int& result) {
  return TryLink(sys::kTcxIngress, BPF_PROG_TYPE_SCHED_CLS, 0, result);
}
// lo is no netkit device: a kernel that knows netkit says so by ENXIO, an older one says EINVAL.
Outcome ProbeNetkit(int& result) {
  return TryLink(sys::kNetkitPrimary, BPF_PROG_TYPE_SCHED_CLS, ENXIO, result);
}
Outcome ProbeXdpLink(int& result) {
  return TryLink(BPF_XDP, BPF_PROG_TYPE_XDP, 0, result);
}

// Strips the outer header of an IPv4-in-IPv4 packet.
Outcome ProbeDecapL3(int& result) {
  constexpr int32_t kHeader = 20;
  const bpf_insn instructions[] = {Mov(BPF_REG_2, -kHeader), Mov(BPF_REG_3, BPF_ADJ_ROOM_MAC),
                                   Mov(BPF_REG_4, static_cast<int32_t>(kDecapL3V4)),
                                   Call(BPF_FUNC_skb_adjust_room), kExit};
  const Fd program = LoadProgram(BPF_PROG_TYPE_SCHED_CLS, instructions, 5);
  if (!program.valid()) return Outcome::Errno(errno);
  uint8_t packet[14 + 3 * kHeader] = {};
  packet[12] = 0x08;  // ETH_P_IP
  packet[14] = packet[14 + kHeader] = 0x45;
  bpf_test_run_opts opts{};
  opts.sz = sizeof(opts);
  opts.data_in = packet;
  opts.data_size_in = sizeof(packet);
  if (bpf_prog_test_run_opts(program.get(), &opts) < 0) return Outcome::Errno(errno);
  result = opts.retval == 0;
  return {};
}

Outcome ProbeBatch(int& result) {
  const Fd map(bpf_map_create(BPF_MAP_TYPE_HASH, "probe", 4, 4, 1, nullptr));
  if (!map.valid()) return Outcome::Errno(errno);
  uint32_t key, value, position, count = 1;
  const int err =
      bpf_map_lookup_batch(map.get(), nullptr, &position, &key, &value, &count, nullptr) < 0 ? errno : 0;
  result = err == 0 || err == ENOENT;
  return {};
}

Outcome ProbeRingBuffer(int& result) {
  const Fd map(bpf_map_create(BPF_MAP_TYPE_RINGBUF, "probe", 0, 0, 4096, nullptr));
  if (!map.valid() && errno != EINVAL) return Outcome::Errno(errno);
  result = map.valid();
  return {};
}

struct Named {
  const char* name;
  Outcome (*run)(int& result);
};

constexpr Named kProbes[] = {
    {"tcx", ProbeTcx},         {"netkit", ProbeNetkit}, {"xdpLink", ProbeXdpLink},
    {"decapL3", ProbeDecapL3}, {"batch", ProbeBatch},   {"ringBuffer", ProbeRingBuffer},
};

// (name) -> boolean
Napi::Value RunProbe(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string name = ToString(info[0], "probe feature", "name");
  for (const Named& probe : kProbes) {
    if (name != probe.name) continue;
    int result = 0;
    const Outcome outcome = RunInFreshNetns([&] { return probe.run(result); });
    if (!outcome.ok()) Fail(env, "probe feature " + name, outcome);
    return Napi::Boolean::New(env, result != 0);
  }
  Fail(env, "probe feature " + name, EINVAL, "no such probe");
}

}  // namespace

void InitProbe(Napi::Env env, Napi::Object exports) {
  exports.Set("probe", Napi::Function::New(env, RunProbe));
}
