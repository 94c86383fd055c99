// SPDX-License-Identifier: Apache-2.0
// Attaching programs to devices. Devices are named by ifindex, which means something only in one network
// namespace, so each call may name that namespace.
#include <bpf/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>

#include <cerrno>
#include <vector>

#include "addon.h"
#include "args.h"
#include "link.h"
#include "netns.h"
#include "program.h"
#include "sys_bpf.h"

namespace {

constexpr uint32_t kMaxListed = 256;  // the kernel allows 64 programs per hook

bool IsIngress(const Napi::Value& value, const std::string& op) {
  const std::string direction = ToString(value, op, "direction");
  if (direction == "ingress" || direction == "egress") return direction == "ingress";
  Fail(value.Env(), op, EINVAL, "direction is neither ingress nor egress");
}

Netns OpenNetns(const Napi::Value& path, const std::string& op) {
  Netns netns;
  const Outcome opened = Netns::Open(ToOptionalPath(path, op), netns);
  if (!opened.ok()) Fail(path.Env(), op, opened);
  return netns;
}

std::string AttachOp(const ProgramWrap* program, const char* where, uint32_t ifindex) {
  return "attach program " + program->name() + " to " + where + " of ifindex " + std::to_string(ifindex);
}

// Where among the programs already there; without an anchor, before all or after all.
void Place(sys::LinkCreate& attr, const Napi::Value& where, const Napi::Value& anchor,
           const std::string& op) {
  if (where.IsUndefined()) return;
  const std::string place = ToString(where, op, "position");
  attr.flags = place == "before" ? sys::kBefore : sys::kAfter;
  if (anchor.IsUndefined()) return;
  if (ProgramWrap::Is(anchor)) {
    attr.relative_fd = ProgramWrap::From(anchor, op)->LiveFd(anchor.Env(), op);
    return;
  }
  attr.relative_fd = LinkWrap::From(anchor, op)->Live(anchor.Env(), op).fd();
  attr.flags |= sys::kRelativeToLink;
}

// (program, ifindex, direction, netns | undefined, 'before' | 'after' | undefined, link | program |
// undefined)
Napi::Value AttachTcx(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  ProgramWrap* program = ProgramWrap::From(info[0], "attach to tcx");
  const uint32_t ifindex = ToU32(info[1], "attach to tcx", "ifindex");
  const std::string op = AttachOp(program, "tcx", ifindex);
  sys::LinkCreate attr{};
  attr.prog_fd = program->LiveFd(env, op);
  attr.target_ifindex = ifindex;
  attr.attach_type = IsIngress(info[2], op) ? sys::kTcxIngress : sys::kTcxEgress;
  Place(attr, info[4], info[5], op);
  Fd link;
  const Outcome outcome = OpenNetns(info[3], op).Run([&] {
    const int fd = sys::Bpf(BPF_LINK_CREATE, attr);
    if (fd < 0) return Outcome::Errno(fd);
    link = Fd(fd);
    return Outcome{};
  });
  if (!outcome.ok()) Fail(env, op, outcome);
  return LinkWrap::Make(env, MakeKernelLink(std::move(link)));
}

// (program, ifindex, direction, netns | undefined, handle, priority, replace)
Napi::Value AttachClsactFilter(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  ProgramWrap* program = ProgramWrap::From(info[0], "attach to clsact");
  const uint32_t ifindex = ToU32(info[1], "attach to clsact", "ifindex");
  const std::string op = AttachOp(program, "clsact", ifindex);
  const ClsactPlace place{ifindex, IsIngress(info[2], op), ToU32(info[4], op, "handle"),
                          ToU32(info[5], op, "priority")};
  std::unique_ptr<Attachment> filter;
  const Outcome outcome = AttachClsact(ToOptionalPath(info[3], op), place, ToBool(info[6], op, "replace"),
                                       program->LiveFd(env, op), filter);
  if (!outcome.ok()) Fail(env, op, outcome);
  return LinkWrap::Make(env, std::move(filter));
}

uint32_t XdpFlags(const Napi::Value& value, const std::string& op) {
  const std::string mode = ToString(value, op, "mode");
  if (mode == "auto") return 0;
  if (mode == "native") return XDP_FLAGS_DRV_MODE;
  if (mode == "generic") return XDP_FLAGS_SKB_MODE;
  Fail(value.Env(), op, EINVAL, "mode is none of native, generic, auto");
}

// (program, ifindex, mode, netns | undefined)
Napi::Value AttachXdp(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  ProgramWrap* program = ProgramWrap::From(info[0], "attach to XDP");
  const uint32_t ifindex = ToU32(info[1], "attach to XDP", "ifindex");
  const std::string op = AttachOp(program, "XDP", ifindex);
  const int program_fd = program->LiveFd(env, op);
  bpf_link_create_opts opts{};
  opts.sz = sizeof(opts);
  opts.flags = XdpFlags(info[2], op);
  Fd link;
  const Outcome outcome = OpenNetns(info[3], op).Run([&] {
    link = Fd(bpf_link_create(program_fd, static_cast<int>(ifindex), BPF_XDP, &opts));
    return Outcome::Errno(link.valid() ? 0 : errno);
  });
  if (!outcome.ok()) Fail(env, op, outcome);
  return LinkWrap::Make(env, MakeKernelLink(std::move(link)));
}

// (ifindex, direction, netns | undefined) -> [{programId, linkId}], in the order in which they run
Napi::Value ListTcx(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const uint32_t ifindex = ToU32(info[0], "list tcx programs", "ifindex");
  const std::string op = "list tcx programs of ifindex " + std::to_string(ifindex);
  std::vector<uint32_t> programs(kMaxListed), links(kMaxListed);
  sys::ProgQuery attr{};
  attr.target_ifindex = ifindex;
  attr.attach_type = IsIngress(info[1], op) ? sys::kTcxIngress : sys::kTcxEgress;
  attr.count = kMaxListed;
  attr.prog_ids = reinterpret_cast<uintptr_t>(programs.data());
  attr.link_ids = reinterpret_cast<uintptr_t>(links.data());
  const Outcome outcome =
      OpenNetns(info[2], op).Run([&] { return Outcome::Errno(sys::Bpf(BPF_PROG_QUERY, attr)); });
  if (!outcome.ok()) Fail(env, op, outcome);
  Napi::Array out = Napi::Array::New(env, attr.count);
  for (uint32_t i = 0; i < attr.count; i++) {
    Napi::Object row = Napi::Object::New(env);
    row.Set("programId", programs[i]);
    row.Set("linkId", links[i]);
    out.Set(i, row);
  }
  return out;
}

// (name, netns | undefined)
Napi::Value InterfaceIndex(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string name = ToString(info[0], "find interface", "name");
  const std::string op = "find interface " + name;
  uint32_t ifindex = 0;
  const Outcome outcome = OpenNetns(info[1], op).Run([&] {
    ifindex = if_nametoindex(name.c_str());
    return Outcome::Errno(ifindex == 0 ? errno : 0);
  });
  if (!outcome.ok()) Fail(env, op, outcome);
  return Napi::Number::New(env, ifindex);
}

}  // namespace

void InitAttach(Napi::Env env, Napi::Object exports) {
  exports.Set("attachTcx", Napi::Function::New(env, AttachTcx));
  exports.Set("attachClsact", Napi::Function::New(env, AttachClsactFilter));
  exports.Set("attachXdp", Napi::Function::New(env, AttachXdp));
  exports.Set("listTcx", Napi::Function::New(env, ListTcx));
  exports.Set("interfaceIndex", Napi::Function::New(env, InterfaceIndex));
}
