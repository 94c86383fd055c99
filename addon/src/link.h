// SPDX-License-Identifier: Apache-2.0
// An attachment that somebody owns. Two kinds behind one interface: the kernel's own links (tcx, netkit, XDP)
// and filters on a clsact qdisc, which the kernel does not own and which we therefore remove ourselves.
#pragma once

#include <napi.h>

#include <memory>
#include <optional>
#include <string>

#include "error.h"
#include "fd.h"

struct LinkState {
  std::string kind;  // tcx, netkit, clsact, xdp, or libbpf's name for other types
  uint32_t id = 0;   // 0: clsact filters have none
  uint32_t program_id = 0;
  uint32_t ifindex = 0;   // 0: detached, or the device is gone
  std::string direction;  // ingress, egress; empty for others
  std::string end;        // netkit only: primary, peer
  uint32_t handle = 0;    // clsact only
  uint32_t priority = 0;  // clsact only
};

class Attachment {
 public:
  virtual ~Attachment() = default;
  virtual Outcome State(LinkState& into) = 0;
  virtual Outcome Update(int program_fd) = 0;
  virtual Outcome Detach() = 0;
  virtual Outcome Pin(const std::string& path) = 0;
  // Called once when the owner lets go; `pinned` ones stay attached.
  virtual void Release(bool pinned) = 0;
  virtual int fd() const { return -1; }
};

class LinkWrap : public Napi::ObjectWrap<LinkWrap> {
 public:
  static Napi::Function Class(Napi::Env env);
  static Napi::Object Make(Napi::Env env, std::unique_ptr<Attachment> attachment, std::string pin_path = "");
  static LinkWrap* From(const Napi::Value& value, const std::string& op);
  static bool Is(const Napi::Value& value);

  explicit LinkWrap(const Napi::CallbackInfo& info);
  ~LinkWrap() override { Release(); }
  Attachment& Live(Napi::Env env, const std::string& op);

 private:
  Napi::Value Info(const Napi::CallbackInfo& info);
  void Update(const Napi::CallbackInfo& info);
  void Detach(const Napi::CallbackInfo& info);
  void Pin(const Napi::CallbackInfo& info);
  void UnpinSelf(const Napi::CallbackInfo& info);
  Napi::Value PinPath(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);
  void Release();

  std::unique_ptr<Attachment> attachment_;
  std::string pin_path_;
};

std::unique_ptr<Attachment> MakeKernelLink(Fd fd);

struct ClsactPlace {
  uint32_t ifindex = 0;
  bool ingress = true;
  uint32_t handle = 0;    // 0: the kernel chooses
  uint32_t priority = 0;  // 0: the kernel chooses
};
Outcome AttachClsact(const std::optional<std::string>& netns, const ClsactPlace& place, bool replace,
                     int program_fd, std::unique_ptr<Attachment>& into);
// The filter that a pinned record (a map made by Pin) names.
Outcome AdoptClsact(const std::optional<std::string>& netns, int record_fd,
                    std::unique_ptr<Attachment>& into);
