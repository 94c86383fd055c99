// SPDX-License-Identifier: Apache-2.0
// A map's descriptor with what the kernel says about it. Every key and value is measured against that before
// a system call sees its address.
#pragma once

#include <linux/bpf.h>
#include <napi.h>

#include <string>

#include "args.h"
#include "fd.h"

class MapWrap : public Napi::ObjectWrap<MapWrap> {
 public:
  static Napi::Function Class(Napi::Env env);
  // Takes over `fd`; fails when it is not a map.
  static Napi::Object Make(Napi::Env env, Fd fd, const std::string& op);
  // The live map behind a value, or a BpfError.
  static MapWrap* From(const Napi::Value& value, const std::string& op, const char* what);
  static bool Is(const Napi::Value& value);

  explicit MapWrap(const Napi::CallbackInfo& info);

  const bpf_map_info& info() const { return info_; }
  int LiveFd(Napi::Env env, const std::string& op) const;

 private:
  Napi::Value Info(const Napi::CallbackInfo& info);
  Napi::Value GetFd(const Napi::CallbackInfo& info);
  Napi::Value Lookup(const Napi::CallbackInfo& info);
  void Update(const Napi::CallbackInfo& info);
  Napi::Value Delete(const Napi::CallbackInfo& info);
  Napi::Value NextKey(const Napi::CallbackInfo& info);
  void Pin(const Napi::CallbackInfo& info);
  void Freeze(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);
  // map_batch.cc
  Napi::Value UpdateBatch(const Napi::CallbackInfo& info);
  Napi::Value DeleteBatch(const Napi::CallbackInfo& info);
  Napi::Value LookupAll(const Napi::CallbackInfo& info);

  std::string Op(const char* verb) const;
  // Bytes of one value as user space sees it: for per-CPU maps every possible CPU, each rounded up to 8.
  // Fails when /sys does not tell how many there are.
  size_t ValueBytes(Napi::Env env, const std::string& op) const;
  // The descriptor to store where the map's values are other maps or programs; -1 where they are bytes.
  int NestedFd(const Napi::Value& value, const std::string& op) const;

  Fd fd_;
  bpf_map_info info_{};
};

bool IsPerCpu(uint32_t type);
bool IsMapInMap(uint32_t type);
std::string MapTypeName(uint32_t type);
