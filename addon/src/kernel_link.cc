// SPDX-License-Identifier: Apache-2.0
// bpf_link objects: the kernel detaches when the last descriptor and the last pin are gone.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cerrno>

#include "link.h"
#include "sys_bpf.h"

namespace {

std::string KindName(uint32_t type) {
  if (type == sys::kLinkTypeTcx) return "tcx";
  if (type == sys::kLinkTypeNetkit) return "netkit";
  const char* name = libbpf_bpf_link_type_str(static_cast<bpf_link_type>(type));
  return name ? name : "type_" + std::to_string(type);
}

class KernelLink : public Attachment {
 public:
  explicit KernelLink(Fd fd) : fd_(std::move(fd)) {}

  Outcome State(LinkState& into) override {
    sys::LinkInfo raw{};
    uint32_t length = sizeof(raw);
    if (bpf_obj_get_info_by_fd(fd_.get(), &raw, &length) < 0) return Outcome::Errno(errno);
    into.kind = KindName(raw.type);
    into.id = raw.id;
    into.program_id = raw.prog_id;
    if (raw.type == BPF_LINK_TYPE_XDP || raw.type == sys::kLinkTypeTcx || raw.type == sys::kLinkTypeNetkit) {
      into.ifindex = raw.ifindex;
    }
    if (raw.type == sys::kLinkTypeTcx)
      into.direction = raw.attach_type == sys::kTcxIngress ? "ingress" : "egress";
    if (raw.type == sys::kLinkTypeNetkit)
      into.end = raw.attach_type == sys::kNetkitPrimary ? "primary" : "peer";
    return {};
  }

  Outcome Update(int program_fd) override {
    return Outcome::Errno(bpf_link_update(fd_.get(), program_fd, nullptr) < 0 ? errno : 0);
  }
  Outcome Detach() override { return Outcome::Errno(bpf_link_detach(fd_.get()) < 0 ? errno : 0); }
  Outcome Pin(const std::string& path) override {
    return Outcome::Errno(bpf_obj_pin(fd_.get(), path.c_str()) < 0 ? errno : 0);
  }
  void Release(bool) override { fd_.Close(); }
  int fd() const override { return fd_.get(); }

 private:
  Fd fd_;
};

}  // namespace

std::unique_ptr<Attachment> MakeKernelLink(Fd fd) {
  return std::make_unique<KernelLink>(std::move(fd));
}
