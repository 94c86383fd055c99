// SPDX-License-Identifier: Apache-2.0
// Sockets that live in another network namespace: a socket belongs to the namespace it was made in, for ever,
// so the event loop of this process can serve it.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "addon.h"
#include "args.h"
#include "error.h"
#include "netns.h"

namespace {

constexpr int kBacklog = 128;

struct Endpoint {
  sockaddr_storage address{};
  socklen_t size = 0;
};

bool Parse(const std::string& text, uint16_t port, Endpoint& into) {
  auto* v4 = reinterpret_cast<sockaddr_in*>(&into.address);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&into.address);
  if (inet_pton(AF_INET, text.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    into.size = sizeof(*v4);
    return true;
  }
  into.address = {};
  if (inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr) != 1) return false;
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons(port);
  into.size = sizeof(*v6);
  return true;
}

Outcome Open(const Endpoint& endpoint, const std::optional<Endpoint>& peer, bool tcp, Fd& into) {
  const int one = 1;
  const int family = endpoint.address.ss_family;
  Fd fd(socket(family, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return Outcome::Errno(errno);
  if (tcp && setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0)
    return Outcome::Errno(errno);
  if (family == AF_INET6 && setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) < 0) {
    return Outcome::Errno(errno);
  }
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&endpoint.address), endpoint.size) < 0) {
    return Outcome::Errno(errno);
  }
  if (peer) {
    const int status = connect(fd.get(), reinterpret_cast<const sockaddr*>(&peer->address), peer->size);
    if (status < 0 && errno != EINPROGRESS) return Outcome::Errno(errno);
  } else if (tcp && listen(fd.get(), kBacklog) < 0) {
    return Outcome::Errno(errno);
  }
  into = std::move(fd);
  return {};
}

Endpoint ToEndpoint(const Napi::Value& address, const Napi::Value& port, const std::string& op) {
  const Napi::Env env = address.Env();
  const uint32_t number = ToU32(port, op, "port");
  Endpoint endpoint;
  if (number > UINT16_MAX) Fail(env, op, EINVAL, "port is out of range");
  if (!Parse(ToString(address, op, "address"), static_cast<uint16_t>(number), endpoint))
    Fail(env, op, EINVAL, "not an IP address");
  return endpoint;
}

// (netns, 'udp' | 'tcp', address, port, address of the peer | undefined, its port | undefined) -> fd that the
// caller owns
Napi::Value SocketInNamespace(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string path = ToPath(info[0], "open socket");
  const std::string type = ToString(info[1], "open socket", "type");
  const std::string address = ToString(info[2], "open socket", "address");
  const uint32_t port = ToU32(info[3], "open socket", "port");
  const std::string op =
      "open " + type + " socket " + address + " port " + std::to_string(port) + " in " + path;
  if (type != "udp" && type != "tcp") Fail(env, op, EINVAL, "type is neither udp nor tcp");
  const Endpoint endpoint = ToEndpoint(info[2], info[3], op);
  std::optional<Endpoint> peer;
  if (!info[4].IsUndefined()) peer = ToEndpoint(info[4], info[5], op);

  Netns netns;
  Outcome outcome = Netns::Open(path, netns);
  Fd fd;
  if (outcome.ok()) outcome = netns.Run([&] { return Open(endpoint, peer, type == "tcp", fd); });
  if (!outcome.ok()) Fail(env, op, outcome);
  return Napi::Number::New(env, fd.Release());
}

}  // namespace

void InitSocket(Napi::Env env, Napi::Object exports) {
  exports.Set("socketInNamespace", Napi::Function::New(env, SocketInNamespace));
}
