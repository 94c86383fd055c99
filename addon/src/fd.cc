// SPDX-License-Identifier: Apache-2.0
#include "fd.h"

#include <mutex>
#include <vector>

namespace {

// By number: the latest claim. One for all threads, as descriptors are; never destroyed, because other
// threads may still close theirs while the process exits.
std::mutex& mutex = *new std::mutex;
std::vector<uint64_t>& claims = *new std::vector<uint64_t>;
uint64_t last = 0;

}  // namespace

uint64_t Fd::Claim(int fd) {
  if (fd < 0) return 0;
  const std::lock_guard<std::mutex> lock(mutex);
  if (claims.size() <= static_cast<size_t>(fd)) claims.resize(fd + 1);
  return claims[fd] = ++last;
}

bool Fd::owned() const {
  if (fd_ < 0) return false;
  const std::lock_guard<std::mutex> lock(mutex);
  return claims[fd_] == claim_;
}
