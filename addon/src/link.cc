// SPDX-License-Identifier: Apache-2.0
#include "link.h"

#include <bpf/bpf.h>

#include <cerrno>

#include "addon.h"
#include "args.h"
#include "program.h"

namespace {

constexpr napi_type_tag kTag = {0x6c69626270664c69, 0x6e6b6f776e656421};

// What a link is made of, until it is made: where that fails (the thread is being terminated), nothing stays
// behind.
struct Parts {
  std::unique_ptr<Attachment> attachment;
  std::string pin_path;

  ~Parts() {
    if (attachment) attachment->Release(!pin_path.empty());
  }
};

// (path, netns | undefined)
Napi::Value FromPinned(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string path = ToPath(info[0], "open pinned link");
  const std::string op = "open pinned link " + path;
  const auto netns = ToOptionalPath(info[1], op);
  Fd fd(bpf_obj_get(path.c_str()));
  if (!fd.valid()) Fail(env, op, errno);
  const std::string kind = KindOf(fd.get());
  if (kind != "bpf-map" && kind != "bpf-prog")
    return LinkWrap::Make(env, MakeKernelLink(std::move(fd)), path);
  if (kind == "bpf-prog") Fail(env, op, EINVAL, "it is a bpf-prog, not a link");

  std::unique_ptr<Attachment> filter;
  const Outcome adopted = AdoptClsact(netns, fd.get(), filter);
  if (!adopted.ok()) Fail(env, op, adopted);
  return LinkWrap::Make(env, std::move(filter), path);
}

Napi::Value FromId(const Napi::CallbackInfo& info) {
  const uint32_t id = ToU32(info[0], "open link by id", "id");
  Fd fd(bpf_link_get_fd_by_id(id));
  if (!fd.valid()) Fail(info.Env(), "open link by id " + std::to_string(id), errno);
  return LinkWrap::Make(info.Env(), MakeKernelLink(std::move(fd)));
}

}  // namespace

LinkWrap::LinkWrap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<LinkWrap>(info) {
  Parts* parts = TakeExternal<Parts>(info, "link");
  attachment_ = std::move(parts->attachment);
  pin_path_ = parts->pin_path;
  info.This().As<Napi::Object>().TypeTag(&kTag);
}

Napi::Object LinkWrap::Make(Napi::Env env, std::unique_ptr<Attachment> attachment, std::string pin_path) {
  Parts parts{std::move(attachment), std::move(pin_path)};
  return env.GetInstanceData<AddonData>()->link.New({Napi::External<Parts>::New(env, &parts)});
}

bool LinkWrap::Is(const Napi::Value& value) {
  return value.IsObject() && value.As<Napi::Object>().CheckTypeTag(&kTag);
}

LinkWrap* LinkWrap::From(const Napi::Value& value, const std::string& op) {
  if (!Is(value)) Fail(value.Env(), op, EINVAL, "not a link");
  return Unwrap(value.As<Napi::Object>());
}

Attachment& LinkWrap::Live(Napi::Env env, const std::string& op) {
  if (!attachment_) Fail(env, op, EBADF, "the link is closed");
  return *attachment_;
}

Napi::Value LinkWrap::Info(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  LinkState state;
  const Outcome outcome = Live(env, "inspect link").State(state);
  if (!outcome.ok()) Fail(env, "inspect link", outcome);
  Napi::Object out = Napi::Object::New(env);
  out.Set("type", state.kind);
  out.Set("id", state.id);
  out.Set("programId", state.program_id);
  out.Set("ifindex", state.ifindex);
  if (!state.direction.empty()) out.Set("direction", state.direction);
  if (!state.end.empty()) out.Set("end", state.end);
  if (state.handle != 0) {
    out.Set("handle", state.handle);
    out.Set("priority", state.priority);
  }
  return out;
}

void LinkWrap::Update(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  ProgramWrap* program = ProgramWrap::From(info[0], "update link");
  const std::string op = "update link to program " + program->name();
  const Outcome outcome = Live(env, op).Update(program->LiveFd(env, op));
  if (!outcome.ok()) Fail(env, op, outcome);
}

void LinkWrap::Detach(const Napi::CallbackInfo& info) {
  const Outcome outcome = Live(info.Env(), "detach link").Detach();
  if (!outcome.ok()) Fail(info.Env(), "detach link", outcome);
}

void LinkWrap::Pin(const Napi::CallbackInfo& info) {
  const std::string path = ToPath(info[0], "pin link");
  const std::string op = "pin link at " + path;
  Attachment& attachment = Live(info.Env(), op);
  if (!pin_path_.empty()) Fail(info.Env(), op, EEXIST, "already pinned at " + pin_path_);
  const Outcome outcome = attachment.Pin(path);
  if (!outcome.ok()) Fail(info.Env(), op, outcome);
  pin_path_ = path;
}

void LinkWrap::UnpinSelf(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Live(env, "unpin link");
  if (pin_path_.empty()) Fail(env, "unpin link", ENOENT, "it is not pinned");
  ::Unpin(env, pin_path_, "unpin link " + pin_path_);
  pin_path_.clear();
}

Napi::Value LinkWrap::PinPath(const Napi::CallbackInfo& info) {
  if (pin_path_.empty()) return info.Env().Undefined();
  return Napi::String::New(info.Env(), pin_path_);
}

void LinkWrap::Release() {
  if (attachment_) attachment_->Release(!pin_path_.empty());
  attachment_.reset();
}

void LinkWrap::Close(const Napi::CallbackInfo&) {
  Release();
}

Napi::Function LinkWrap::Class(Napi::Env env) {
  return DefineClass(env, "NativeLink",
                     {
                         InstanceMethod<&LinkWrap::Info>("info"),
                         InstanceMethod<&LinkWrap::Update>("update"),
                         InstanceMethod<&LinkWrap::Detach>("detach"),
                         InstanceMethod<&LinkWrap::Pin>("pin"),
                         InstanceMethod<&LinkWrap::UnpinSelf>("unpin"),
                         InstanceMethod<&LinkWrap::PinPath>("pinPath"),
                         InstanceMethod<&LinkWrap::Close>("close"),
                     });
}

void InitLink(Napi::Env env, Napi::Object exports) {
  env.GetInstanceData<AddonData>()->link = Napi::Persistent(LinkWrap::Class(env));
  exports.Set("linkFromPinned", Napi::Function::New(env, FromPinned));
  exports.Set("linkFromId", Napi::Function::New(env, FromId));
}
