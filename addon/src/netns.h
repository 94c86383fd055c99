// SPDX-License-Identifier: Apache-2.0
// Work inside another network namespace. A Node thread never changes its own: a short-lived thread enters the
// namespace, does the work and ends.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "error.h"
#include "fd.h"

class Netns {
 public:
  // The caller's own namespace: no thread is needed.
  Netns() = default;
  // `path` such as /run/netns/NAME or /proc/PID/ns/net.
  static Outcome Open(const std::optional<std::string>& path, Netns& into);

  // Runs `work` inside. It must not touch JavaScript. What libbpf printed ends up in the outcome's log.
  Outcome Run(const std::function<Outcome()>& work) const;
  // nsfs inode: the same namespace has the same number as long as it lives.
  uint64_t Inode() const;

 private:
  Fd fd_;
};

// Runs `work` in a network namespace of its own that ends with it.
Outcome RunInFreshNetns(const std::function<Outcome()>& work);
