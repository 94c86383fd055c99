// SPDX-License-Identifier: Apache-2.0
// A BPF object file: open (editable, object_edit.cc) → load (off the event loop) → maps and programs as
// descriptors.
#pragma once

#include <bpf/libbpf.h>
#include <napi.h>

#include <list>
#include <string>

#include "fd.h"

class ObjectWrap : public Napi::ObjectWrap<ObjectWrap> {
 public:
  static Napi::Function Class(Napi::Env env);
  explicit ObjectWrap(const Napi::CallbackInfo& info);
  ~ObjectWrap() override { Release(); }

 private:
  friend class LoadWorker;
  enum class State { kOpen, kLoading, kLoaded, kFailed, kClosed };

  Napi::Value Load(const Napi::CallbackInfo& info);
  Napi::Value Map(const Napi::CallbackInfo& info);
  Napi::Value Program(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);
  // object_edit.cc
  Napi::Value Maps(const Napi::CallbackInfo& info);
  Napi::Value Programs(const Napi::CallbackInfo& info);
  Napi::Value Variables(const Napi::CallbackInfo& info);
  Napi::Value ReadData(const Napi::CallbackInfo& info);
  void WriteData(const Napi::CallbackInfo& info);
  void SetMaxEntries(const Napi::CallbackInfo& info);
  void SetPinPath(const Napi::CallbackInfo& info);
  void SetInnerMap(const Napi::CallbackInfo& info);
  void SetAutoload(const Napi::CallbackInfo& info);

  // Fails unless the object is in `wanted` state.
  void Expect(Napi::Env env, State wanted, const std::string& op) const;
  // Data sections are maps named OBJECT.rodata, OBJECT.bss; here they go by the section's name.
  static std::string MapName(const bpf_map* map);
  bpf_map* FindMap(const Napi::Value& name, const std::string& op) const;
  bpf_program* FindProgram(const Napi::Value& name, const std::string& op) const;
  // libbpf's own descriptors are new ones to those who still hold their numbers.
  void ClaimDescriptors() const;
  void Release();

  bpf_object* object_ = nullptr;
  State state_ = State::kOpen;
  std::string name_;
  std::list<Fd> inner_maps_;  // libbpf borrows them until load
};
