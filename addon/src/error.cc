// SPDX-License-Identifier: Apache-2.0
#include "error.h"

#include <bpf/libbpf.h>

#include <cctype>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <sstream>
#include <vector>

#include "addon.h"

namespace {

// The kernel's own code for "not supported by this object"; it has no name in user space.
constexpr int kKernelNotSupported = 524;

// libbpf's own errors, from 4000 up (enum libbpf_errno).
constexpr int kLibbpfFirst = 4000;
constexpr const char* kLibbpfCodes[] = {"LIBELF",   "FORMAT",  "KVERSION", "ENDIAN",   "INTERNAL",
                                        "RELOC",    "LOAD",    "VERIFY",   "PROG2BIG", "KVER",
                                        "PROGTYPE", "WRNGPID", "INVSEQ",   "NLPARSE"};

thread_local std::string* sink = nullptr;

std::string CodeName(int err) {
  if (err == kKernelNotSupported) return "ENOTSUPP";
  const size_t own = static_cast<size_t>(err - kLibbpfFirst);
  if (err >= kLibbpfFirst && own < std::size(kLibbpfCodes)) return std::string("LIBBPF_") + kLibbpfCodes[own];
  const char* name = strerrorname_np(err);
  return name ? name : "E" + std::to_string(err);
}

int Print(libbpf_print_level level, const char* format, va_list args) {
  if (!sink || level == LIBBPF_DEBUG) return 0;
  va_list again;
  va_copy(again, args);
  const int length = vsnprintf(nullptr, 0, format, args);
  if (length > 0) {
    const size_t start = sink->size();
    sink->resize(start + length + 1);
    vsnprintf(&(*sink)[start], length + 1, format, again);
    sink->resize(start + length);
  }
  va_end(again);
  return length;
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

bool StartsWith(const std::string& line, const char* prefix) {
  return line.rfind(prefix, 0) == 0;
}

std::string WithoutPrefix(const std::string& line) {
  return StartsWith(line, "libbpf: ") ? line.substr(strlen("libbpf: ")) : line;
}

// The verifier ends with its complaint, then statistics ("processed N insns …").
std::string VerifierLine(const std::vector<std::string>& lines) {
  std::string program, last;
  for (const std::string& line : lines) {
    const std::string text = WithoutPrefix(line);
    if (text.find("-- BEGIN PROG LOAD LOG --") != std::string::npos) {
      program = text.substr(0, text.find(": -- BEGIN"));
      last.clear();
      continue;
    }
    if (program.empty()) continue;
    if (text.find("-- END PROG LOAD LOG --") != std::string::npos) break;
    const bool noise = text.empty() || StartsWith(text, "processed ") ||
                       StartsWith(text, "verification time ") || StartsWith(text, "stack depth ");
    if (!noise) last = text;
  }
  return last.empty() ? "" : program + ": " + last;
}

}  // namespace

std::string Describe(int err) {
  if (err == kKernelNotSupported) return "not supported by the kernel";
  const char* text = strerrordesc_np(err);
  std::string description = text ? text : "error " + std::to_string(err);
  description[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(description[0])));
  return description;
}

PrintCapture::PrintCapture() : previous_(sink) {
  sink = &text_;
}
PrintCapture::~PrintCapture() {
  sink = previous_;
}
void InstallPrintCapture() {
  libbpf_set_print(Print);
}

std::string TellingLine(const std::string& log) {
  const std::vector<std::string> lines = Lines(log);
  const std::string verifier = VerifierLine(lines);
  if (!verifier.empty()) return verifier;
  for (const std::string& line : lines) {
    const bool retried = line.find("Retrying without BTF") != std::string::npos;  // a second try decides
    if (StartsWith(line, "libbpf: ") && !retried) return WithoutPrefix(line);
  }
  return "";
}

Napi::Value MakeError(Napi::Env env, const std::string& op, const Outcome& outcome) {
  const std::string cause = outcome.cause.empty() ? Describe(outcome.err) : outcome.cause;
  const AddonData* data = env.GetInstanceData<AddonData>();
  if (!data || data->error.IsEmpty()) return Napi::Error::New(env, op + ": " + cause).Value();
  const Napi::Value log = outcome.log.empty() ? env.Undefined() : Napi::String::New(env, outcome.log);
  return data->error.New({Napi::String::New(env, op), Napi::String::New(env, CodeName(outcome.err)),
                          Napi::Number::New(env, outcome.err), Napi::String::New(env, cause), log});
}

void Fail(Napi::Env env, const std::string& op, int err, const std::string& cause) {
  Fail(env, op, Outcome::Errno(err, cause));
}

void Fail(Napi::Env env, const std::string& op, const Outcome& outcome) {
  throw Napi::Error(env, MakeError(env, op, outcome));
}
