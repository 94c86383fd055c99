// SPDX-License-Identifier: Apache-2.0
// Attaching programs to devices. Devices are named by ifindex, which means something only in one network
// namespace, so each call may name that namespace.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <net/if.h>

#include <cerrno>
#include <functional>
#include <memory>
#include <vector>

#include "addon.h"
#include "args.h"
#include "link.h"
#include "netns.h"
#include "program.h"
#include "sys_bpf.h"

namespace {

constexpr uint32_t kMaxListed = 256;  // the kernel allows 64 programs per hook

// Hooks that hold several programs, each by a link of its own (bpf_mprog in the kernel).
struct Hook {
  const char* kind;
  uint32_t attach_type;
};

Hook ToHook(const Napi::Value& value, const std::string& op) {
  const std::string where = ToString(value, op, "hook");
  if (where == "ingress") return {"tcx", sys::kTcxIngress};
  if (where == "egress") return {"tcx", sys::kTcxEgress};
  if (where == "netkit primary") return {"netkit", sys::kNetkitPrimary};
  if (where == "netkit peer") return {"netkit", sys::kNetkitPeer};
  Fail(value.Env(), op, EINVAL, "there is no such hook: tcx has ingress and egress, netkit primary and peer");
}

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

// What there is to do, read from the arguments, with everything that it takes: it may run after the caller
// closed the program, and on another thread.
struct Attaching {
  std::string op;
  std::function<Outcome(std::unique_ptr<Attachment>& into)> work;
};

// The kernel waits for an RCU grace period when programs on a device change, 8-15 ms: on libuv's pool.
class AttachWorker : public Napi::AsyncWorker {
 public:
  AttachWorker(Napi::Env env, Attaching attaching)
      : Napi::AsyncWorker(env), deferred_(env), attaching_(std::move(attaching)) {}
  ~AttachWorker() override {
    if (attachment_) attachment_->Release(false);
  }
  Napi::Promise Promise() const { return deferred_.Promise(); }

  void Execute() override { outcome_ = attaching_.work(attachment_); }

  void OnOK() override {
    const Napi::Env env = Env();
    Napi::HandleScope scope(env);
    if (!outcome_.ok()) return deferred_.Reject(MakeError(env, attaching_.op, outcome_));
    deferred_.Resolve(LinkWrap::Make(env, std::move(attachment_)));
  }

  // Something was thrown in Execute(): no memory.
  void OnError(const Napi::Error&) override {
    outcome_ = Outcome::Errno(ENOMEM);
    OnOK();
  }

 private:
  Napi::Promise::Deferred deferred_;
  Attaching attaching_;
  std::unique_ptr<Attachment> attachment_;
  Outcome outcome_;
};

Napi::Value AttachNow(Napi::Env env, const Attaching& attaching) {
  std::unique_ptr<Attachment> attachment;
  const Outcome outcome = attaching.work(attachment);
  if (!outcome.ok()) Fail(env, attaching.op, outcome);
  return LinkWrap::Make(env, std::move(attachment));
}

Napi::Value AttachLater(Napi::Env env, Attaching attaching) {
  auto* worker = new AttachWorker(env, std::move(attaching));
  const Napi::Promise promise = worker->Promise();
  worker->Queue();
  return promise;
}

// std::function wants what it holds to be copyable.
std::shared_ptr<Fd> Duplicate(Napi::Env env, int fd, const std::string& op) {
  auto copy = std::make_shared<Fd>(Fd::Duplicate(fd));
  if (!copy->valid()) Fail(env, op, errno);
  return copy;
}

// The descriptor of a program or link that others are placed beside.
int AnchorFd(const Napi::Value& anchor, const std::string& op) {
  const Napi::Env env = anchor.Env();
  if (ProgramWrap::Is(anchor)) return ProgramWrap::From(anchor, op)->LiveFd(env, op);
  const int fd = LinkWrap::From(anchor, op)->Live(env, op).fd();
  if (fd < 0) Fail(env, op, EINVAL, "a clsact filter is no place among links");
  return fd;
}

// Where among the programs already there; without an anchor, before all or after all. Returns what keeps the
// anchor alive.
std::shared_ptr<Fd> Place(sys::LinkCreate& attr, const Napi::Value& where, const Napi::Value& anchor,
                          const std::string& op) {
  if (where.IsUndefined()) return nullptr;
  const std::string place = ToString(where, op, "position");
  attr.flags = place == "before" ? sys::kBefore : sys::kAfter;
  if (anchor.IsUndefined()) return nullptr;
  auto held = Duplicate(anchor.Env(), AnchorFd(anchor, op), op);
  attr.relative_fd = held->get();
  if (!ProgramWrap::Is(anchor)) attr.flags |= sys::kRelativeToLink;
  return held;
}

Outcome CreateLink(const std::optional<std::string>& path, sys::LinkCreate attr,
                   std::unique_ptr<Attachment>& into) {
  Netns netns;
  const Outcome opened = Netns::Open(path, netns);
  if (!opened.ok()) return opened;
  return netns.Run([&] {
    const int fd = sys::Bpf(BPF_LINK_CREATE, attr);
    if (fd < 0) return Outcome::Errno(fd);
    into = MakeKernelLink(Fd(fd));
    return Outcome{};
  });
}

// (program, ifindex, hook, netns | undefined, 'before' | 'after' | undefined, link | program | undefined)
Attaching ReadLink(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  ProgramWrap* program = ProgramWrap::From(info[0], "attach program");
  const uint32_t ifindex = ToU32(info[1], "attach program", "ifindex");
  const Hook hook = ToHook(info[2], "attach program");
  const std::string op = AttachOp(program, hook.kind, ifindex);
  const auto held = Duplicate(env, program->LiveFd(env, op), op);
  sys::LinkCreate attr{};
  attr.prog_fd = held->get();
  attr.target_ifindex = ifindex;
  attr.attach_type = hook.attach_type;
  const auto anchor = Place(attr, info[4], info[5], op);
  const auto netns = ToOptionalPath(info[3], op);
  return {op, [held, anchor, attr, netns](auto& into) { return CreateLink(netns, attr, into); }};
}

// (program, ifindex, direction, netns | undefined, handle, priority, replace)
Attaching ReadClsact(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  ProgramWrap* program = ProgramWrap::From(info[0], "attach to clsact");
  const uint32_t ifindex = ToU32(info[1], "attach to clsact", "ifindex");
  const std::string op = AttachOp(program, "clsact", ifindex);
  const ClsactPlace place{ifindex, IsIngress(info[2], op), ToU32(info[4], op, "handle"),
                          ToU32(info[5], op, "priority")};
  const auto netns = ToOptionalPath(info[3], op);
  const bool replace = ToBool(info[6], op, "replace");
  const auto held = Duplicate(env, program->LiveFd(env, op), op);
  return {op, [held, place, netns, replace](auto& into) {
            return AttachClsact(netns, place, replace, held->get(), into);
          }};
}

uint32_t XdpFlags(const Napi::Value& value, const std::string& op) {
  const std::string mode = ToString(value, op, "mode");
  if (mode == "auto") return 0;
  if (mode == "native") return XDP_FLAGS_DRV_MODE;
  if (mode == "generic") return XDP_FLAGS_SKB_MODE;
  Fail(value.Env(), op, EINVAL, "mode is none of native, generic, auto");
}

Outcome CreateXdp(const std::optional<std::string>& path, int program_fd, uint32_t ifindex, uint32_t flags,
                  std::unique_ptr<Attachment>& into) {
  Netns netns;
  const Outcome opened = Netns::Open(path, netns);
  if (!opened.ok()) return opened;
  bpf_link_create_opts opts{};
  opts.sz = sizeof(opts);
  opts.flags = flags;
  return netns.Run([&] {
    const int fd = bpf_link_create(program_fd, static_cast<int>(ifindex), BPF_XDP, &opts);
    if (fd < 0) return Outcome::Errno(errno);
    into = MakeKernelLink(Fd(fd));
    return Outcome{};
  });
}

// (program, ifindex, mode, netns | undefined)
Attaching ReadXdp(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  ProgramWrap* program = ProgramWrap::From(info[0], "attach to XDP");
  const uint32_t ifindex = ToU32(info[1], "attach to XDP", "ifindex");
  const std::string op = AttachOp(program, "XDP", ifindex);
  const uint32_t flags = XdpFlags(info[2], op);
  const auto netns = ToOptionalPath(info[3], op);
  const auto held = Duplicate(env, program->LiveFd(env, op), op);
  return {op, [held, netns, ifindex, flags](auto& into) {
            return CreateXdp(netns, held->get(), ifindex, flags, into);
          }};
}

Outcome CreateCgroup(const std::string& path, int program_fd, bpf_attach_type hook,
                     std::unique_ptr<Attachment>& into) {
  const Fd cgroup(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!cgroup.valid()) return Outcome::Errno(errno);
  const int fd = bpf_link_create(program_fd, cgroup.get(), hook, nullptr);
  if (fd < 0) return Outcome::Errno(errno);
  into = MakeKernelLink(Fd(fd));
  return {};
}

// (program, path of the cgroup, hook as in the section's name behind "cgroup/")
Attaching ReadCgroup(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  ProgramWrap* program = ProgramWrap::From(info[0], "attach to cgroup");
  const std::string path = ToPath(info[1], "attach to cgroup");
  const std::string op = "attach program " + program->name() + " to cgroup " + path;
  const std::string name = ToString(info[2], op, "hook");
  bpf_attach_type hook{};
  if (libbpf_attach_type_by_name(("cgroup/" + name).c_str(), &hook) < 0)
    Fail(env, op, EINVAL, "there is no such hook: " + name);
  const auto held = Duplicate(env, program->LiveFd(env, op), op);
  return {op, [held, path, hook](auto& into) { return CreateCgroup(path, held->get(), hook, into); }};
}

template <Attaching (*Read)(const Napi::CallbackInfo&)>
Napi::Value Now(const Napi::CallbackInfo& info) {
  return AttachNow(info.Env(), Read(info));
}

template <Attaching (*Read)(const Napi::CallbackInfo&)>
Napi::Value Later(const Napi::CallbackInfo& info) {
  return AttachLater(info.Env(), Read(info));
}

// (ifindex, hook, netns | undefined) -> [{programId, linkId}], in the order in which they run
Napi::Value ListPrograms(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const uint32_t ifindex = ToU32(info[0], "list programs", "ifindex");
  const Hook hook = ToHook(info[1], "list programs");
  const std::string op = std::string("list ") + hook.kind + " programs of ifindex " + std::to_string(ifindex);
  std::vector<uint32_t> programs(kMaxListed), links(kMaxListed);
  sys::ProgQuery attr{};
  attr.target_ifindex = ifindex;
  attr.attach_type = hook.attach_type;
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
  exports.Set("attachLink", Napi::Function::New(env, Now<ReadLink>));
  exports.Set("attachLinkAsync", Napi::Function::New(env, Later<ReadLink>));
  exports.Set("attachClsact", Napi::Function::New(env, Now<ReadClsact>));
  exports.Set("attachClsactAsync", Napi::Function::New(env, Later<ReadClsact>));
  exports.Set("attachXdp", Napi::Function::New(env, Now<ReadXdp>));
  exports.Set("attachXdpAsync", Napi::Function::New(env, Later<ReadXdp>));
  exports.Set("attachCgroup", Napi::Function::New(env, Now<ReadCgroup>));
  exports.Set("listPrograms", Napi::Function::New(env, ListPrograms));
  exports.Set("interfaceIndex", Napi::Function::New(env, InterfaceIndex));
}
