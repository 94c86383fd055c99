// SPDX-License-Identifier: Apache-2.0
#include "map.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <vector>

#include "addon.h"
#include "error.h"
#include "program.h"

namespace {

constexpr napi_type_tag kTag = {0x6c69626270664d61, 0x7050726573656e74};
constexpr uint32_t kMapTypes = 64;  // more than any kernel has

uint32_t MapTypeNumber(const Napi::Value& value, const std::string& op) {
  const std::string name = ToString(value, op, "type");
  for (uint32_t type = 1; type < kMapTypes; type++) {
    if (MapTypeName(type) == name) return type;
  }
  Fail(value.Env(), op, EINVAL, "unknown map type " + name);
}

uint32_t OptionalU32(const Napi::Object& options, const char* key, const std::string& op) {
  const Napi::Value value = options.Get(key);
  return value.IsUndefined() ? 0 : ToU32(value, op, key);
}

bool IsKernelName(const std::string& name) {
  return std::all_of(name.begin(), name.end(),
                     [](unsigned char c) { return isalnum(c) || c == '_' || c == '.'; });
}

Napi::Value Create(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  std::string op = "create map";
  if (!info[0].IsObject()) Fail(env, op, EINVAL, "options are missing");
  const Napi::Object options = info[0].As<Napi::Object>();
  const Napi::Value name = options.Get("name");
  const std::string map_name = name.IsUndefined() ? "" : ToString(name, op, "name");
  if (!map_name.empty()) op += " " + map_name;

  if (!IsKernelName(map_name)) Fail(env, op, EINVAL, "a name has only letters, digits, _ and .");

  bpf_map_create_opts create{};
  create.sz = sizeof(create);
  create.map_flags = OptionalU32(options, "flags", op);
  const auto type = static_cast<bpf_map_type>(MapTypeNumber(options.Get("type"), op));
  const uint32_t key_size = OptionalU32(options, "keySize", op);
  const uint32_t value_size = OptionalU32(options, "valueSize", op);
  const uint32_t max_entries = ToU32(options.Get("maxEntries"), op, "maxEntries");
  const Napi::Value inner = options.Get("innerMap");
  // The last look into options, which may have getters that close maps.
  if (!inner.IsUndefined()) create.inner_map_fd = MapWrap::From(inner, op, "innerMap")->LiveFd(env, op);

  PrintCapture capture;
  Fd fd(bpf_map_create(type, map_name.empty() ? nullptr : map_name.c_str(), key_size, value_size, max_entries,
                       &create));
  if (!fd.valid()) Fail(env, op, errno);
  return MapWrap::Make(env, std::move(fd), op);
}

Napi::Value FromPinned(const Napi::CallbackInfo& info) {
  const std::string path = ToPath(info[0], "open pinned map");
  const std::string op = "open pinned map " + path;
  return MapWrap::Make(info.Env(), OpenPinned(info.Env(), path, "bpf-map", op), op);
}

Napi::Value FromId(const Napi::CallbackInfo& info) {
  const uint32_t id = ToU32(info[0], "open map by id", "id");
  const std::string op = "open map by id " + std::to_string(id);
  Fd fd(bpf_map_get_fd_by_id(id));
  if (!fd.valid()) Fail(info.Env(), op, errno);
  return MapWrap::Make(info.Env(), std::move(fd), op);
}

void UnpinPath(const Napi::CallbackInfo& info) {
  const std::string path = ToPath(info[0], "unpin");
  Unpin(info.Env(), path, "unpin " + path);
}

Napi::Value PossibleCpus(const Napi::CallbackInfo& info) {
  const int count = libbpf_num_possible_cpus();
  if (count < 0) Fail(info.Env(), "count possible cpus", -count);
  return Napi::Number::New(info.Env(), count);
}

}  // namespace

bool IsPerCpu(uint32_t type) {
  return type == BPF_MAP_TYPE_PERCPU_HASH || type == BPF_MAP_TYPE_PERCPU_ARRAY ||
         type == BPF_MAP_TYPE_LRU_PERCPU_HASH || type == BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE;
}

bool IsMapInMap(uint32_t type) {
  return type == BPF_MAP_TYPE_HASH_OF_MAPS || type == BPF_MAP_TYPE_ARRAY_OF_MAPS;
}

std::string MapTypeName(uint32_t type) {
  const char* name = libbpf_bpf_map_type_str(static_cast<bpf_map_type>(type));
  return name ? name : "type_" + std::to_string(type);
}

MapWrap::MapWrap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<MapWrap>(info) {
  fd_ = std::move(*TakeExternal<Fd>(info, "map"));
  uint32_t length = sizeof(info_);
  if (bpf_obj_get_info_by_fd(fd_.get(), &info_, &length) < 0) Fail(info.Env(), "inspect map", errno);
  info.This().As<Napi::Object>().TypeTag(&kTag);
}

Napi::Object MapWrap::Make(Napi::Env env, Fd fd, const std::string&) {
  return env.GetInstanceData<AddonData>()->map.New({Napi::External<Fd>::New(env, &fd)});
}

bool MapWrap::Is(const Napi::Value& value) {
  return value.IsObject() && value.As<Napi::Object>().CheckTypeTag(&kTag);
}

MapWrap* MapWrap::From(const Napi::Value& value, const std::string& op, const char* what) {
  if (!Is(value)) Fail(value.Env(), op, EINVAL, std::string(what) + " is not a map");
  return Unwrap(value.As<Napi::Object>());
}

std::string MapWrap::Op(const char* verb) const {
  return std::string(verb) + (info_.name[0] ? std::string(" map ") + info_.name : std::string(" map"));
}

int MapWrap::LiveFd(Napi::Env env, const std::string& op) const {
  if (!fd_.valid()) Fail(env, op, EBADF, "the map is closed");
  if (!fd_.owned()) Fail(env, op, EBADF, "somebody else closed its descriptor");
  return fd_.get();
}

size_t MapWrap::ValueBytes(Napi::Env env, const std::string& op) const {
  if (!IsPerCpu(info_.type)) return info_.value_size;
  const int cpus = libbpf_num_possible_cpus();
  if (cpus <= 0)
    Fail(env, op, cpus < 0 ? -cpus : ENODATA, "cannot tell the number of possible CPUs from /sys");
  return (size_t{info_.value_size} + 7) / 8 * 8 * cpus;
}

int MapWrap::NestedFd(const Napi::Value& value, const std::string& op) const {
  const Napi::Env env = value.Env();
  if (IsMapInMap(info_.type)) return From(value, op, "value")->LiveFd(env, op);
  if (info_.type == BPF_MAP_TYPE_PROG_ARRAY) return ProgramWrap::From(value, op)->LiveFd(env, op);
  return -1;
}

Napi::Value MapWrap::Info(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Napi::Object out = Napi::Object::New(env);
  out.Set("type", MapTypeName(info_.type));
  out.Set("id", info_.id);
  out.Set("name", std::string(info_.name));
  out.Set("keySize", info_.key_size);
  out.Set("valueSize", info_.value_size);
  out.Set("valueBytes", static_cast<double>(ValueBytes(env, Op("inspect"))));
  out.Set("maxEntries", info_.max_entries);
  out.Set("flags", info_.map_flags);
  return out;
}

Napi::Value MapWrap::GetFd(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), LiveFd(info.Env(), Op("use")));
}

Napi::Value MapWrap::Lookup(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string op = Op("look up in");
  const int fd = LiveFd(env, op);
  const Bytes key = ToBytes(info[0], info_.key_size, op, "key");
  auto value = Napi::Buffer<uint8_t>::New(env, ValueBytes(env, op));
  if (bpf_map_lookup_elem(fd, key.data, value.Data()) == 0) return value;
  if (errno == ENOENT) return env.Undefined();
  Fail(env, op, errno);
}

void MapWrap::Update(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string op = Op("update");
  const int fd = LiveFd(env, op);
  const Bytes key = ToBytes(info[0], info_.key_size, op, "key");
  const uint32_t flags = ToU32(info[2], op, "flags");
  const int nested = NestedFd(info[1], op);
  const void* value = nested >= 0 ? static_cast<const void*>(&nested)
                                  : ToBytes(info[1], ValueBytes(env, op), op, "value").data;
  if (bpf_map_update_elem(fd, key.data, value, flags) < 0) Fail(env, op, errno);
}

Napi::Value MapWrap::Delete(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string op = Op("delete from");
  const int fd = LiveFd(env, op);
  const Bytes key = ToBytes(info[0], info_.key_size, op, "key");
  if (bpf_map_delete_elem(fd, key.data) == 0) return Napi::Boolean::New(env, true);
  if (errno == ENOENT) return Napi::Boolean::New(env, false);
  Fail(env, op, errno);
}

Napi::Value MapWrap::NextKey(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string op = Op("iterate");
  const int fd = LiveFd(env, op);
  const bool first = info[0].IsUndefined();
  const void* key = first ? nullptr : ToBytes(info[0], info_.key_size, op, "key").data;
  auto next = Napi::Buffer<uint8_t>::New(env, info_.key_size);
  if (bpf_map_get_next_key(fd, key, next.Data()) == 0) return next;
  if (errno == ENOENT) return env.Undefined();
  Fail(env, op, errno);
}

void MapWrap::Pin(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string path = ToPath(info[0], Op("pin"));
  const std::string op = Op("pin") + " at " + path;
  if (bpf_obj_pin(LiveFd(env, op), path.c_str()) < 0) Fail(env, op, errno);
}

void MapWrap::Freeze(const Napi::CallbackInfo& info) {
  const std::string op = Op("freeze");
  if (bpf_map_freeze(LiveFd(info.Env(), op)) < 0) Fail(info.Env(), op, errno);
}

void MapWrap::Close(const Napi::CallbackInfo&) {
  fd_.Close();
}

Napi::Function MapWrap::Class(Napi::Env env) {
  return DefineClass(env, "NativeMap",
                     {
                         InstanceMethod<&MapWrap::Info>("info"),
                         InstanceMethod<&MapWrap::GetFd>("fd"),
                         InstanceMethod<&MapWrap::Lookup>("lookup"),
                         InstanceMethod<&MapWrap::Update>("update"),
                         InstanceMethod<&MapWrap::Delete>("delete"),
                         InstanceMethod<&MapWrap::NextKey>("nextKey"),
                         InstanceMethod<&MapWrap::UpdateBatch>("updateBatch"),
                         InstanceMethod<&MapWrap::DeleteBatch>("deleteBatch"),
                         InstanceMethod<&MapWrap::LookupAll>("lookupAll"),
                         InstanceMethod<&MapWrap::Pin>("pin"),
                         InstanceMethod<&MapWrap::Freeze>("freeze"),
                         InstanceMethod<&MapWrap::Close>("close"),
                     });
}

void InitMap(Napi::Env env, Napi::Object exports) {
  env.GetInstanceData<AddonData>()->map = Napi::Persistent(MapWrap::Class(env));
  exports.Set("createMap", Napi::Function::New(env, Create));
  exports.Set("mapFromPinned", Napi::Function::New(env, FromPinned));
  exports.Set("mapFromId", Napi::Function::New(env, FromId));
  exports.Set("unpin", Napi::Function::New(env, UnpinPath));
  exports.Set("possibleCpus", Napi::Function::New(env, PossibleCpus));
}
