// SPDX-License-Identifier: Apache-2.0
#include "args.h"

#include <bpf/bpf.h>
#include <sys/vfs.h>

#include <cerrno>
#include <climits>
#include <cmath>

#include "error.h"

namespace {

constexpr long kBpffsMagic = 0xcafe4a11;

[[noreturn]] void Refuse(const Napi::Value& value, const std::string& op, const std::string& cause) {
  Fail(value.Env(), op, EINVAL, cause);
}

}  // namespace

Bytes ToBytes(const Napi::Value& value, const std::string& op, const char* what) {
  if (!value.IsTypedArray()) Refuse(value, op, std::string(what) + " is not a Uint8Array");
  const Napi::TypedArray array = value.As<Napi::TypedArray>();
  if (array.TypedArrayType() != napi_uint8_array)
    Refuse(value, op, std::string(what) + " is not a Uint8Array");
  Napi::Uint8Array bytes = value.As<Napi::Uint8Array>();
  return {bytes.Data(), bytes.ByteLength()};
}

Bytes ToBytes(const Napi::Value& value, size_t size, const std::string& op, const char* what) {
  const Bytes bytes = ToBytes(value, op, what);
  if (bytes.size == size) return bytes;
  Refuse(
      value, op,
      std::string(what) + " has " + std::to_string(bytes.size) + " bytes instead of " + std::to_string(size));
}

uint32_t ToU32(const Napi::Value& value, const std::string& op, const char* what) {
  if (!value.IsNumber()) Refuse(value, op, std::string(what) + " is not a number");
  const double number = value.As<Napi::Number>().DoubleValue();
  if (number >= 0 && number <= UINT32_MAX && std::floor(number) == number)
    return static_cast<uint32_t>(number);
  Refuse(value, op, std::string(what) + " is not an unsigned 32-bit integer");
}

bool ToBool(const Napi::Value& value, const std::string& op, const char* what) {
  if (value.IsBoolean()) return value.As<Napi::Boolean>().Value();
  Refuse(value, op, std::string(what) + " is not a boolean");
}

std::string ToString(const Napi::Value& value, const std::string& op, const char* what) {
  if (!value.IsString()) Refuse(value, op, std::string(what) + " is not a string");
  std::string text = value.As<Napi::String>().Utf8Value();
  if (text.find('\0') != std::string::npos) Refuse(value, op, std::string(what) + " contains a NUL");
  return text;
}

std::string ToPath(const Napi::Value& value, const std::string& op) {
  std::string path = ToString(value, op, "path");
  if (path.empty() || path.size() >= PATH_MAX) Refuse(value, op, "path is empty or too long");
  return path;
}

std::optional<std::string> ToOptionalPath(const Napi::Value& value, const std::string& op) {
  if (value.IsUndefined() || value.IsNull()) return std::nullopt;
  return ToPath(value, op);
}

std::string KindOf(int fd) {
  char target[64];
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t length = readlink(link.c_str(), target, sizeof(target));
  const std::string prefix = "anon_inode:";
  const std::string text(target, length > 0 ? length : 0);
  return text.rfind(prefix, 0) == 0 ? text.substr(prefix.size()) : "";
}

Fd OpenPinned(Napi::Env env, const std::string& path, const char* kind, const std::string& op) {
  Fd fd(bpf_obj_get(path.c_str()));
  if (!fd.valid()) Fail(env, op, errno);
  const std::string found = KindOf(fd.get());
  if (!found.empty() && found != kind) Fail(env, op, EINVAL, "it is a " + found + ", not a " + kind);
  return fd;
}

void Unpin(Napi::Env env, const std::string& path, const std::string& op) {
  struct statfs fs;
  if (statfs(path.c_str(), &fs) < 0) Fail(env, op, errno);
  if (static_cast<unsigned long>(fs.f_type) != static_cast<unsigned long>(kBpffsMagic)) {
    Fail(env, op, EINVAL, "not on a bpf file system");
  }
  if (unlink(path.c_str()) < 0) Fail(env, op, errno);
}
