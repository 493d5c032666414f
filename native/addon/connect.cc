#include "connect.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "convert.h"
#include "failure.h"
#include "handle.h"
#include "netns.h"
#include "worker.h"

namespace keelson {
namespace {

/**
 * On loopback a handshake is over before connect() returns; only a listener whose queue is full makes it last. Then the
 * pool thread is given back after this time and the kernel goes on alone, for at most `synRetries` more attempts (7 s).
 */
constexpr int waitMs = 50;
constexpr int synRetries = 2;

struct Target {
  std::string netns, object;
  uint16_t port = 0;
};

UniqueFd openSocket(int family, const std::string& object) {
  UniqueFd fd(socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) fail("socket", object);
  setsockopt(fd.get(), IPPROTO_TCP, TCP_SYNCNT, &synRetries, sizeof synRetries);
  const int on = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

/** 0 if connected or still under way, else the errno. */
int connectTo(int fd, const sockaddr* address, socklen_t length) {
  if (connect(fd, address, length) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  struct pollfd descriptor = {fd, POLLOUT, 0};
  poll(&descriptor, 1, waitMs);
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

/** A socket belongs to the namespace that it was opened in: only the opening has to happen inside. */
struct Pair {
  UniqueFd v4, v6;
};

Pair openInside(const Target& target) {
  const UniqueFd netns = openNetns(target.netns, target.object);
  const InNetns inside(netns.get(), target.object);
  Pair pair{openSocket(AF_INET, target.object), {}};
  // a kernel without IPv6 has no second chance to give
  UniqueFd second(socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  pair.v6 = std::move(second);
  return pair;
}

/** IPv4 first, then IPv6, as container runtimes do for port-forward; the error is that of IPv4. */
UniqueFd connectLoopback(const Target& target) {
  Pair sockets = openInside(target);
  sockaddr_in v4 = {};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(target.port);
  v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int error = connectTo(sockets.v4.get(), reinterpret_cast<sockaddr*>(&v4), sizeof v4);
  if (error == 0) return std::move(sockets.v4);
  sockaddr_in6 v6 = {};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(target.port);
  v6.sin6_addr = in6addr_loopback;
  if (sockets.v6 && connectTo(sockets.v6.get(), reinterpret_cast<sockaddr*>(&v6), sizeof v6) == 0)
    return std::move(sockets.v6);
  fail("connect(127.0.0.1:" + std::to_string(target.port) + ")", target.object, error, "");
}

}  // namespace

Napi::Value netnsConnect(const Napi::CallbackInfo& info) {
  const auto spec = info[0].As<Napi::Object>();
  Target target{stringOf(spec, "netns"), stringOf(spec, "object"), static_cast<uint16_t>(numberOf(spec, "port"))};
  return runOnPool(
      info.Env(), [target = std::move(target)] { return connectLoopback(target); },
      [](Napi::Env env, UniqueFd& fd) -> Napi::Value { return Napi::Number::New(env, fd.release()); });
}

}  // namespace keelson
