// SPDX-License-Identifier: Apache-2.0
#include "program.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cerrno>
#include <cstdio>
#include <vector>

#include "addon.h"
#include "args.h"
#include "error.h"
#include "netns.h"

namespace {

constexpr napi_type_tag kTag = {0x6c69626270665072, 0x6f6772616d746167};
constexpr uint32_t kMaxPacket = 64 * 1024 * 16;  // more than the kernel takes
constexpr uint32_t kMaxContext = 4096;

std::string Hex(const uint8_t* bytes, size_t size) {
  std::string text(size * 2, '0');
  for (size_t i = 0; i < size; i++) snprintf(&text[i * 2], 3, "%02x", bytes[i]);
  return text;
}

std::string TypeName(uint32_t type) {
  const char* name = libbpf_bpf_prog_type_str(static_cast<bpf_prog_type>(type));
  return name ? name : "type_" + std::to_string(type);
}

Napi::Value FromPinned(const Napi::CallbackInfo& info) {
  const std::string path = ToPath(info[0], "open pinned program");
  return ProgramWrap::Make(info.Env(),
                           OpenPinned(info.Env(), path, "bpf-prog", "open pinned program " + path));
}

Napi::Value FromId(const Napi::CallbackInfo& info) {
  const uint32_t id = ToU32(info[0], "open program by id", "id");
  Fd fd(bpf_prog_get_fd_by_id(id));
  if (!fd.valid()) Fail(info.Env(), "open program by id " + std::to_string(id), errno);
  return ProgramWrap::Make(info.Env(), std::move(fd));
}

}  // namespace

ProgramWrap::ProgramWrap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<ProgramWrap>(info) {
  fd_ = std::move(*TakeExternal<Fd>(info, "program"));
  uint32_t length = sizeof(info_);
  if (bpf_obj_get_info_by_fd(fd_.get(), &info_, &length) < 0) Fail(info.Env(), "inspect program", errno);
  info.This().As<Napi::Object>().TypeTag(&kTag);
}

Napi::Object ProgramWrap::Make(Napi::Env env, Fd fd) {
  return env.GetInstanceData<AddonData>()->program.New({Napi::External<Fd>::New(env, &fd)});
}

bool ProgramWrap::Is(const Napi::Value& value) {
  return value.IsObject() && value.As<Napi::Object>().CheckTypeTag(&kTag);
}

ProgramWrap* ProgramWrap::From(const Napi::Value& value, const std::string& op) {
  if (!Is(value)) Fail(value.Env(), op, EINVAL, "not a program");
  return Unwrap(value.As<Napi::Object>());
}

int ProgramWrap::LiveFd(Napi::Env env, const std::string& op) const {
  if (!fd_.valid()) Fail(env, op, EBADF, "the program is closed");
  if (!fd_.owned()) Fail(env, op, EBADF, "somebody else closed its descriptor");
  return fd_.get();
}

Napi::Value ProgramWrap::Info(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string op = Op("inspect");
  bpf_prog_info now{};
  uint32_t length = sizeof(now);
  const int fd = LiveFd(env, op);
  if (bpf_obj_get_info_by_fd(fd, &now, &length) < 0) Fail(env, op, errno);
  std::vector<uint32_t> map_ids(now.nr_map_ids);
  bpf_prog_info with_maps{};
  with_maps.nr_map_ids = now.nr_map_ids;
  with_maps.map_ids = reinterpret_cast<uintptr_t>(map_ids.data());
  length = sizeof(with_maps);
  if (bpf_obj_get_info_by_fd(fd, &with_maps, &length) < 0) Fail(env, op, errno);

  Napi::Array ids = Napi::Array::New(env, map_ids.size());
  for (size_t i = 0; i < map_ids.size(); i++) ids.Set(i, map_ids[i]);
  Napi::Object out = Napi::Object::New(env);
  out.Set("id", now.id);
  out.Set("name", std::string(now.name));
  out.Set("tag", Hex(now.tag, sizeof(now.tag)));
  out.Set("type", TypeName(now.type));
  out.Set("verifiedInstructions", now.verified_insns);
  out.Set("runTimeNs", Napi::BigInt::New(env, static_cast<uint64_t>(now.run_time_ns)));
  out.Set("runCount", Napi::BigInt::New(env, static_cast<uint64_t>(now.run_cnt)));
  out.Set("mapIds", ids);
  return out;
}

Napi::Value ProgramWrap::GetFd(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), LiveFd(info.Env(), Op("use")));
}

// (data, context | undefined, repeat, dataOutSize, netns | undefined, live, batchSize)
Napi::Value ProgramWrap::TestRun(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string op = Op("test");
  const int fd = LiveFd(env, op);
  const Bytes data = ToBytes(info[0], op, "data");
  const Bytes context = info[1].IsUndefined() ? Bytes{nullptr, 0} : ToBytes(info[1], op, "ctx");
  const uint32_t repeat = ToU32(info[2], op, "repeat");
  const uint32_t room = ToU32(info[3], op, "dataOutSize");
  if (data.size > kMaxPacket || room > kMaxPacket || context.size > kMaxContext) Fail(env, op, E2BIG);
  const bool live = ToBool(info[5], op, "live");
  const uint32_t batch = ToU32(info[6], op, "batchSize");
  if (repeat > INT32_MAX) Fail(env, op, EINVAL, "repeat is too big");
  Netns netns;
  const Outcome opened = Netns::Open(ToOptionalPath(info[4], op), netns);
  if (!opened.ok()) Fail(env, op, opened);

  std::vector<uint8_t> packet(room), context_out(live ? 0 : context.size);
  bpf_test_run_opts opts{};
  opts.sz = sizeof(opts);
  opts.data_in = data.data;
  opts.data_size_in = data.size;
  opts.data_out = room ? packet.data() : nullptr;
  opts.data_size_out = room;
  opts.ctx_in = context.size ? context.data : nullptr;
  opts.ctx_size_in = context.size;
  opts.ctx_out = context_out.empty() ? nullptr : context_out.data();
  opts.ctx_size_out = context_out.size();
  opts.repeat = static_cast<int>(repeat);
  opts.flags = live ? BPF_F_TEST_XDP_LIVE_FRAMES : 0;
  opts.batch_size = batch;
  const Outcome ran =
      netns.Run([&] { return Outcome::Errno(bpf_prog_test_run_opts(fd, &opts) < 0 ? errno : 0); });
  if (ran.err == ENOSPC && (room == 0 || opts.data_size_out <= room))
    Fail(env, op, ENOSPC, "ctx is less than the " + std::to_string(opts.ctx_size_out) + " bytes of its kind");
  if (ran.err == ENOSPC)
    Fail(env, op, ENOSPC,
         "dataOutSize is less than the " + std::to_string(opts.data_size_out) + " bytes that came out");
  if (!ran.ok()) Fail(env, op, ran);

  Napi::Object out = Napi::Object::New(env);
  out.Set("retval", opts.retval);
  out.Set("durationNs", opts.duration);
  out.Set("data", Napi::Buffer<uint8_t>::Copy(env, packet.data(), room ? opts.data_size_out : 0));
  if (!context_out.empty())
    out.Set("ctx", Napi::Buffer<uint8_t>::Copy(env, context_out.data(), opts.ctx_size_out));
  return out;
}

void ProgramWrap::Pin(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string path = ToPath(info[0], Op("pin"));
  const std::string op = Op("pin") + " at " + path;
  if (bpf_obj_pin(LiveFd(env, op), path.c_str()) < 0) Fail(env, op, errno);
}

void ProgramWrap::Close(const Napi::CallbackInfo&) {
  fd_.Close();
}

Napi::Function ProgramWrap::Class(Napi::Env env) {
  return DefineClass(env, "NativeProgram",
                     {
                         InstanceMethod<&ProgramWrap::Info>("info"),
                         InstanceMethod<&ProgramWrap::GetFd>("fd"),
                         InstanceMethod<&ProgramWrap::TestRun>("testRun"),
                         InstanceMethod<&ProgramWrap::Pin>("pin"),
                         InstanceMethod<&ProgramWrap::Close>("close"),
                     });
}

void InitProgram(Napi::Env env, Napi::Object exports) {
  env.GetInstanceData<AddonData>()->program = Napi::Persistent(ProgramWrap::Class(env));
  exports.Set("programFromPinned", Napi::Function::New(env, FromPinned));
  exports.Set("programFromId", Napi::Function::New(env, FromId));
}
