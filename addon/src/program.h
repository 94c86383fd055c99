// SPDX-License-Identifier: Apache-2.0
// A loaded program.
#pragma once

#include <linux/bpf.h>
#include <napi.h>

#include <string>

#include "fd.h"

class ProgramWrap : public Napi::ObjectWrap<ProgramWrap> {
 public:
  static Napi::Function Class(Napi::Env env);
  static Napi::Object Make(Napi::Env env, Fd fd);
  static ProgramWrap* From(const Napi::Value& value, const std::string& op);
  static bool Is(const Napi::Value& value);

  explicit ProgramWrap(const Napi::CallbackInfo& info);
  int LiveFd(Napi::Env env, const std::string& op) const;
  uint32_t id() const { return info_.id; }
  std::string name() const { return info_.name; }

 private:
  Napi::Value Info(const Napi::CallbackInfo& info);
  Napi::Value GetFd(const Napi::CallbackInfo& info);
  Napi::Value TestRun(const Napi::CallbackInfo& info);
  void Pin(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);
  std::string Op(const char* verb) const { return std::string(verb) + " program " + info_.name; }

  Fd fd_;
  bpf_prog_info info_{};
};
