// SPDX-License-Identifier: Apache-2.0
// What can be read and changed between open and load.
#include <bpf/btf.h>

#include <cerrno>
#include <cstring>

#include "args.h"
#include "error.h"
#include "map.h"
#include "object.h"

namespace {

Napi::Value StringOrUndefined(Napi::Env env, const char* text) {
  if (!text) return env.Undefined();
  return Napi::String::New(env, text);
}

std::string ProgramTypeName(bpf_prog_type type) {
  const char* name = libbpf_bpf_prog_type_str(type);
  return name ? name : "type_" + std::to_string(type);
}

}  // namespace

Napi::Value ObjectWrap::Maps(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Expect(env, State::kOpen, "list maps of object " + name_);
  Napi::Array out = Napi::Array::New(env);
  bpf_map* map;
  bpf_object__for_each_map(map, object_) {
    Napi::Object row = Napi::Object::New(env);
    row.Set("name", MapName(map));
    row.Set("type", MapTypeName(bpf_map__type(map)));
    row.Set("keySize", bpf_map__key_size(map));
    row.Set("valueSize", bpf_map__value_size(map));
    row.Set("maxEntries", bpf_map__max_entries(map));
    row.Set("flags", bpf_map__map_flags(map));
    row.Set("pinPath", StringOrUndefined(env, bpf_map__pin_path(map)));
    out.Set(out.Length(), row);
  }
  return out;
}

Napi::Value ObjectWrap::Programs(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Expect(env, State::kOpen, "list programs of object " + name_);
  Napi::Array out = Napi::Array::New(env);
  bpf_program* program;
  bpf_object__for_each_program(program, object_) {
    Napi::Object row = Napi::Object::New(env);
    row.Set("name", bpf_program__name(program));
    row.Set("section", bpf_program__section_name(program));
    row.Set("type", ProgramTypeName(bpf_program__type(program)));
    row.Set("instructions", static_cast<double>(bpf_program__insn_cnt(program)));
    row.Set("autoload", bpf_program__autoload(program));
    out.Set(out.Length(), row);
  }
  return out;
}

// Global variables by BTF: [{section, name, offset, size, typeId}]. libbpf has filled in offsets and sizes.
Napi::Value ObjectWrap::Variables(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Expect(env, State::kOpen, "list variables of object " + name_);
  Napi::Array out = Napi::Array::New(env);
  const btf* types = bpf_object__btf(object_);
  const uint32_t count = types ? btf__type_cnt(types) : 0;
  for (uint32_t id = 1; id < count; id++) {
    const btf_type* section = btf__type_by_id(types, id);
    if (!btf_is_datasec(section)) continue;
    const btf_var_secinfo* slot = btf_var_secinfos(section);
    for (int i = 0; i < btf_vlen(section); i++, slot++) {
      const btf_type* variable = btf__type_by_id(types, slot->type);
      if (!variable || !btf_is_var(variable)) continue;
      Napi::Object row = Napi::Object::New(env);
      row.Set("section", btf__name_by_offset(types, section->name_off));
      row.Set("name", btf__name_by_offset(types, variable->name_off));
      row.Set("offset", slot->offset);
      row.Set("size", slot->size);
      row.Set("typeId", variable->type);
      out.Set(out.Length(), row);
    }
  }
  return out;
}

// (section)
Napi::Value ObjectWrap::ReadData(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string op = "read data of object " + name_;
  Expect(env, State::kOpen, op);
  size_t size = 0;
  const auto* data = static_cast<const uint8_t*>(bpf_map__initial_value(FindMap(info[0], op), &size));
  if (!data) Fail(env, op, EINVAL, "the map has no initial value");
  return Napi::Buffer<uint8_t>::Copy(env, data, size);
}

// (section, offset, bytes)
void ObjectWrap::WriteData(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string op = "write data of object " + name_;
  Expect(env, State::kOpen, op);
  size_t size = 0;
  bpf_map* map = FindMap(info[0], op);
  auto* data =
      static_cast<uint8_t*>(const_cast<void*>(static_cast<const void*>(bpf_map__initial_value(map, &size))));
  if (!data) Fail(env, op, EINVAL, "the map has no initial value");
  const uint32_t offset = ToU32(info[1], op, "offset");
  const Bytes bytes = ToBytes(info[2], op, "bytes");
  if (offset > size || bytes.size > size - offset) Fail(env, op, ERANGE, "past the end of the section");
  memcpy(data + offset, bytes.data, bytes.size);
}

// (map, entries)
void ObjectWrap::SetMaxEntries(const Napi::CallbackInfo& info) {
  const std::string op = "set max entries of object " + name_;
  Expect(info.Env(), State::kOpen, op);
  bpf_map* map = FindMap(info[0], op);
  const uint32_t entries = ToU32(info[1], op, "maxEntries");
  // libbpf takes the number for the length of the section's mapping when it unmaps it (seen in 1.1).
  if (bpf_map__is_internal(map))
    Fail(info.Env(), op, EINVAL, MapName(map) + " is a data section, which has one entry");
  PrintCapture capture;
  const int err = bpf_map__set_max_entries(map, entries);
  if (err < 0) Fail(info.Env(), op, -err);
}

// (map, path | undefined)
void ObjectWrap::SetPinPath(const Napi::CallbackInfo& info) {
  const std::string op = "set pin path of object " + name_;
  Expect(info.Env(), State::kOpen, op);
  const auto path = ToOptionalPath(info[1], op);
  const int err = bpf_map__set_pin_path(FindMap(info[0], op), path ? path->c_str() : nullptr);
  if (err < 0) Fail(info.Env(), op, -err);
}

// (map, inner map): its shape is what every inner map must have; an own descriptor keeps it alive until load.
void ObjectWrap::SetInnerMap(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string op = "set inner map of object " + name_;
  Expect(env, State::kOpen, op);
  Fd inner = Fd::Duplicate(MapWrap::From(info[1], op, "inner map")->LiveFd(env, op));
  if (!inner.valid()) Fail(env, op, errno);
  PrintCapture capture;
  const int err = bpf_map__set_inner_map_fd(FindMap(info[0], op), inner.get());
  if (err < 0) Fail(env, op, Outcome{-err, TellingLine(capture.Take()), ""});
  inner_maps_.push_back(std::move(inner));
}

// (program, boolean)
void ObjectWrap::SetAutoload(const Napi::CallbackInfo& info) {
  const std::string op = "set autoload of object " + name_;
  Expect(info.Env(), State::kOpen, op);
  const int err = bpf_program__set_autoload(FindProgram(info[0], op), ToBool(info[1], op, "autoload"));
  if (err < 0) Fail(info.Env(), op, -err);
}
