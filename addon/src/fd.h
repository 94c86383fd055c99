// SPDX-License-Identifier: Apache-2.0
// A file descriptor that is closed exactly once, and that notices when its number has become another one's:
// after a stray close() elsewhere in the process the kernel gives the number to the next descriptor, and a
// lookup through the old one would have the other map's larger value written past the end of its buffer.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <utility>

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd), claim_(Claim(fd)) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)), claim_(other.claim_) {}
  Fd& operator=(Fd&& other) noexcept {
    Close();
    fd_ = std::exchange(other.fd_, -1);
    claim_ = other.claim_;
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { Close(); }

  // A second descriptor for the same thing; invalid (errno set) when `fd` is dead.
  static Fd Duplicate(int fd) { return Fd(fcntl(fd, F_DUPFD_CLOEXEC, 3)); }
  // Says that `fd` is a new descriptor, whoever had its number before. For those that libbpf keeps.
  static uint64_t Claim(int fd);

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  // Whether nobody has claimed the number since.
  bool owned() const;
  int Release() { return std::exchange(fd_, -1); }
  void Close() {
    if (fd_ >= 0 && owned()) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_ = -1;
  uint64_t claim_ = 0;
};
