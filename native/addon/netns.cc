#include "netns.h"

#include <fcntl.h>
#include <sched.h>

#include <cstdlib>

#include "failure.h"

namespace keelson {
namespace {

/** The namespace that this thread works in, taken before it ever entered another one. */
int ownNetns() {
  thread_local const UniqueFd fd(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!fd) fail("open", "/proc/thread-self/ns/net", ENOENT);
  return fd.get();
}

}  // namespace

InNetns::InNetns(int netns, const std::string& object) {
  ownNetns();
  if (setns(netns, CLONE_NEWNET) != 0) fail("setns(CLONE_NEWNET)", object);
}

InNetns::~InNetns() {
  if (setns(ownNetns(), CLONE_NEWNET) != 0) abort();
}

UniqueFd openNetns(const std::string& path, const std::string& object) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) fail("open(" + path + ")", object, errno, errno == ENOENT ? "the network namespace is gone" : "");
  return fd;
}

NetlinkSocket& nodeSocket() {
  thread_local NetlinkSocket socket = NetlinkSocket::open(NETLINK_ROUTE);
  return socket;
}

NetlinkSocket socketIn(const std::string& path, const std::string& object) {
  const UniqueFd netns = openNetns(path, object);
  const InNetns inside(netns.get(), object);
  return NetlinkSocket::open(NETLINK_ROUTE);
}

}  // namespace keelson
