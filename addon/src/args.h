// SPDX-License-Identifier: Apache-2.0
// Arguments from JavaScript, checked here and never trusted: wrong type or range is a BpfError with EINVAL.
#pragma once

#include <napi.h>

#include <cstdint>
#include <optional>
#include <string>

#include "fd.h"

struct Bytes {
  uint8_t* data;
  size_t size;
};

Bytes ToBytes(const Napi::Value& value, const std::string& op, const char* what);
Bytes ToBytes(const Napi::Value& value, size_t size, const std::string& op, const char* what);
uint32_t ToU32(const Napi::Value& value, const std::string& op, const char* what);
bool ToBool(const Napi::Value& value, const std::string& op, const char* what);
std::string ToString(const Napi::Value& value, const std::string& op, const char* what);
std::string ToPath(const Napi::Value& value, const std::string& op);
std::optional<std::string> ToOptionalPath(const Napi::Value& value, const std::string& op);

// The object pinned at `path`, which must be a `kind`: "bpf-map", "bpf-prog" or "bpf_link".
Fd OpenPinned(Napi::Env env, const std::string& path, const char* kind, const std::string& op);
// What an open bpf descriptor is: "bpf-map", "bpf-prog", "bpf_link", or "" when /proc does not tell.
std::string KindOf(int fd);
// Removes a pin; refuses to touch a file outside bpffs.
void Unpin(Napi::Env env, const std::string& path, const std::string& op);

// The fd handed to a wrapping class's constructor, which JavaScript itself cannot forge.
template <typename T>
T* TakeExternal(const Napi::CallbackInfo& info, const char* what) {
  if (info.Length() == 1 && info[0].IsExternal()) return info[0].As<Napi::External<T>>().Data();
  throw Napi::TypeError::New(info.Env(),
                             std::string("construct ") + what + ": use the functions that open one");
}
