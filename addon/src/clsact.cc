// SPDX-License-Identifier: Apache-2.0
// Filters on the clsact qdisc, for kernels before tcx (6.6), behaving like links as far as that goes: the
// owner's close() removes the filter unless it is pinned. The kernel keeps no owner, so a killed process
// leaves its filter.
//
// bpffs cannot hold a filter. Pin() stores where the filter is in a one-element array map and pins that, so
// that another process can find it and own it again. Whoever made the qdisc takes it away with its filter,
// when nobody else has filters on it; the record remembers that, too.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cerrno>
#include <cstring>

#include "link.h"
#include "netns.h"
#include "qdisc.h"

namespace {

constexpr char kRecordName[] = "clsact_filter";
constexpr uint64_t kRecordMagic = 0x6c73616374303031;

struct Record {
  uint64_t magic;
  uint64_t netns_inode;
  uint32_t ifindex;
  uint32_t flags;
  uint32_t handle;
  uint32_t priority;
};

constexpr uint32_t kIngress = 1;
constexpr uint32_t kMadeQdisc = 2;

bpf_tc_hook HookOf(const ClsactPlace& place) {
  bpf_tc_hook hook{};
  hook.sz = sizeof(hook);
  hook.ifindex = static_cast<int>(place.ifindex);
  hook.attach_point = place.ingress ? BPF_TC_INGRESS : BPF_TC_EGRESS;
  return hook;
}

bpf_tc_opts OptionsOf(const ClsactPlace& place) {
  bpf_tc_opts opts{};
  opts.sz = sizeof(opts);
  opts.handle = place.handle;
  opts.priority = place.priority;
  return opts;
}

class ClsactFilter : public Attachment {
 public:
  ClsactFilter(Netns netns, const ClsactPlace& place, uint32_t program_id, bool made_qdisc)
      : netns_(std::move(netns)), place_(place), program_id_(program_id), made_qdisc_(made_qdisc) {}

  Outcome State(LinkState& into) override {
    into.kind = "clsact";
    into.direction = place_.ingress ? "ingress" : "egress";
    into.handle = place_.handle;
    into.priority = place_.priority;
    if (detached_) return {};
    const Outcome outcome = netns_.Run([&] { return Query(into.program_id); });
    if (into.program_id != 0) into.ifindex = place_.ifindex;
    return outcome;
  }

  // Takes whatever runs there for its own, as the pinned record says.
  Outcome AdoptRunning() {
    return netns_.Run([&] { return Query(program_id_); });
  }

  Outcome Update(int program_fd) override {
    if (detached_) return Outcome::Errno(ENOLINK, "it is detached");
    return netns_.Run([&] {
      uint32_t running = 0;
      const Outcome queried = Query(running);
      if (!queried.ok()) return queried;
      if (running == 0)
        return Outcome::Errno(ENOLINK, "the filter is gone");  // replacing would make a new one
      const bpf_tc_hook hook = HookOf(place_);
      bpf_tc_opts opts = OptionsOf(place_);
      opts.prog_fd = program_fd;
      opts.flags = BPF_TC_F_REPLACE;
      const int err = bpf_tc_attach(&hook, &opts);
      if (err == 0) program_id_ = opts.prog_id;
      return Outcome::Errno(err);
    });
  }

  Outcome Detach() override {
    if (detached_) return {};
    const Outcome outcome = netns_.Run([&] {
      const bpf_tc_hook hook = HookOf(place_);
      const bpf_tc_opts opts = OptionsOf(place_);
      const int err = bpf_tc_detach(&hook, &opts);
      if (made_qdisc_) RemoveUnusedClsact(place_.ifindex);
      return Outcome::Errno(err);
    });
    const bool gone = outcome.err == ENOENT || outcome.err == ENODEV || outcome.err == EINVAL;
    detached_ = outcome.ok() || gone;
    return detached_ ? Outcome{} : outcome;
  }

  Outcome Pin(const std::string& path) override {
    Fd map(bpf_map_create(BPF_MAP_TYPE_ARRAY, kRecordName, sizeof(uint32_t), sizeof(Record), 1, nullptr));
    if (!map.valid()) return Outcome::Errno(errno);
    const uint32_t key = 0;
    const uint32_t flags = (place_.ingress ? kIngress : 0) | (made_qdisc_ ? kMadeQdisc : 0);
    const Record record{kRecordMagic, netns_.Inode(), place_.ifindex, flags, place_.handle, place_.priority};
    if (bpf_map_update_elem(map.get(), &key, &record, BPF_ANY) < 0) return Outcome::Errno(errno);
    return Outcome::Errno(bpf_obj_pin(map.get(), path.c_str()) < 0 ? errno : 0);
  }

  // What somebody else has put into the place since is not ours to remove.
  void Release(bool pinned) override {
    LinkState now;
    if (pinned || !State(now).ok()) return;
    const bool removed = now.program_id == 0;  // the qdisc may still be there
    if (removed || now.program_id == program_id_) Detach();
  }

 private:
  // Inside the namespace. The program is 0 when the filter was removed behind our back.
  Outcome Query(uint32_t& program_id) const {
    const bpf_tc_hook hook = HookOf(place_);
    bpf_tc_opts opts = OptionsOf(place_);
    const int err = bpf_tc_query(&hook, &opts);
    program_id = err == 0 ? opts.prog_id : 0;
    const bool gone = err == -ENOENT || err == -ENODEV || err == -EINVAL;
    return Outcome::Errno(gone ? 0 : err);
  }

  Netns netns_;
  ClsactPlace place_;
  uint32_t program_id_;  // what this object has put there, or found there when it was opened
  bool made_qdisc_;
  bool detached_ = false;
};

Outcome ReadRecord(int fd, Record& into) {
  const Outcome wrong = Outcome::Errno(EINVAL, "it is a map, not a link");
  bpf_map_info info{};
  uint32_t length = sizeof(info);
  if (bpf_obj_get_info_by_fd(fd, &info, &length) < 0) return Outcome::Errno(errno);
  const bool shaped = info.type == BPF_MAP_TYPE_ARRAY && info.key_size == sizeof(uint32_t) &&
                      info.value_size == sizeof(Record) && strcmp(info.name, kRecordName) == 0;
  if (!shaped) return wrong;
  const uint32_t key = 0;
  if (bpf_map_lookup_elem(fd, &key, &into) < 0) return Outcome::Errno(errno);
  return into.magic == kRecordMagic ? Outcome{} : wrong;
}

}  // namespace

Outcome AttachClsact(const std::optional<std::string>& path, const ClsactPlace& place, bool replace,
                     int program_fd, std::unique_ptr<Attachment>& into) {
  Netns netns;
  const Outcome opened = Netns::Open(path, netns);
  if (!opened.ok()) return opened;
  ClsactPlace taken = place;
  uint32_t program_id = 0;
  bool made_qdisc = false;
  const Outcome attached = netns.Run([&] {
    bpf_tc_hook hook = HookOf(place);
    const int made = bpf_tc_hook_create(&hook);
    if (made < 0 && made != -EEXIST) return Outcome::Errno(made);
    made_qdisc = made == 0;
    bpf_tc_opts opts = OptionsOf(place);
    opts.prog_fd = program_fd;
    opts.flags = replace ? BPF_TC_F_REPLACE : 0;
    const int err = bpf_tc_attach(&hook, &opts);
    taken.handle = opts.handle;
    taken.priority = opts.priority;
    program_id = opts.prog_id;
    if (err != 0 && made_qdisc) RemoveUnusedClsact(place.ifindex);
    return Outcome::Errno(err);
  });
  if (attached.ok()) into = std::make_unique<ClsactFilter>(std::move(netns), taken, program_id, made_qdisc);
  return attached;
}

Outcome AdoptClsact(const std::optional<std::string>& path, int record_fd,
                    std::unique_ptr<Attachment>& into) {
  Record record{};
  const Outcome read = ReadRecord(record_fd, record);
  if (!read.ok()) return read;
  Netns netns;
  const Outcome opened = Netns::Open(path, netns);
  if (!opened.ok()) return opened;
  if (netns.Inode() != record.netns_inode) {
    return Outcome::Errno(EXDEV, "its device is in another network namespace: name that in netns");
  }
  const ClsactPlace place{record.ifindex, (record.flags & kIngress) != 0, record.handle, record.priority};
  auto filter = std::make_unique<ClsactFilter>(std::move(netns), place, 0, (record.flags & kMadeQdisc) != 0);
  const Outcome adopted = filter->AdoptRunning();
  if (adopted.ok()) into = std::move(filter);
  return adopted;
}
