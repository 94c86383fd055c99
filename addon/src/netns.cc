// SPDX-License-Identifier: Apache-2.0
#include "netns.h"

#include <sched.h>
#include <sys/stat.h>

#include <cerrno>
#include <system_error>
#include <thread>

namespace {

Outcome WithCapturedPrints(const std::function<Outcome()>& work) {
  PrintCapture capture;
  Outcome outcome = work();
  if (!outcome.ok() && outcome.log.empty()) outcome.log = capture.Take();
  return outcome;
}

// A thread of its own, because a namespace is a thread's. Its failure is an outcome: links are released in
// destructors, which may not throw.
Outcome OnOwnThread(const std::function<Outcome()>& work) {
  Outcome outcome;
  try {
    std::thread([&] { outcome = work(); }).join();
  } catch (const std::system_error& error) {
    return Outcome::Errno(error.code().value(), "cannot start a thread");
  }
  return outcome;
}

}  // namespace

Outcome Netns::Open(const std::optional<std::string>& path, Netns& into) {
  if (!path) return {};
  // Not waiting, for the path may be that of a FIFO by mistake.
  into.fd_ = Fd(open(path->c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (into.fd_.valid()) return {};
  const int err = errno;
  return Outcome::Errno(err, "cannot open network namespace " + *path);
}

Outcome Netns::Run(const std::function<Outcome()>& work) const {
  if (!fd_.valid()) return WithCapturedPrints(work);
  return OnOwnThread([&] {
    if (setns(fd_.get(), CLONE_NEWNET) < 0)
      return Outcome::Errno(errno, "cannot enter the network namespace");
    return WithCapturedPrints(work);
  });
}

uint64_t Netns::Inode() const {
  struct stat status;
  const int result = fd_.valid() ? fstat(fd_.get(), &status) : stat("/proc/thread-self/ns/net", &status);
  return result < 0 ? 0 : status.st_ino;
}

Outcome RunInFreshNetns(const std::function<Outcome()>& work) {
  return OnOwnThread([&] {
    if (unshare(CLONE_NEWNET) < 0) return Outcome::Errno(errno, "cannot make a network namespace");
    return WithCapturedPrints(work);
  });
}
