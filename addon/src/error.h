// SPDX-License-Identifier: Apache-2.0
// One way to fail: every error that reaches JavaScript is a BpfError with op, code, errno and, for the
// verifier and for libbpf's own messages, a log.
#pragma once

#include <napi.h>

#include <string>

// The result of work that runs without a JavaScript environment (other threads, RAII helpers).
struct Outcome {
  int err = 0;        // errno, 0 on success
  std::string cause;  // overrides the text of err when not empty
  std::string log;
  bool ok() const { return err == 0; }
  static Outcome Errno(int err, std::string cause = "") {
    return {err < 0 ? -err : err, std::move(cause), ""};
  }
};

// What an errno means, in lower case; also for those that have no text in user space.
std::string Describe(int err);
Napi::Value MakeError(Napi::Env env, const std::string& op, const Outcome& outcome);
[[noreturn]] void Fail(Napi::Env env, const std::string& op, int err, const std::string& cause = "");
[[noreturn]] void Fail(Napi::Env env, const std::string& op, const Outcome& outcome);

// Collects what libbpf prints on this thread while it lives; nothing of it ever reaches stderr.
class PrintCapture {
 public:
  PrintCapture();
  ~PrintCapture();
  PrintCapture(const PrintCapture&) = delete;
  PrintCapture& operator=(const PrintCapture&) = delete;
  std::string Take() { return std::move(text_); }

 private:
  std::string text_;
  std::string* previous_;
};

void InstallPrintCapture();

// The line of libbpf's output that tells the reason: the verifier's last word, or the first warning.
std::string TellingLine(const std::string& log);
